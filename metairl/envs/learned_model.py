"""A learned environment: an ensemble predicts what each step leads to (MOPO, Yu et al. 2020, arXiv:2005.13239).

i ~ elites,  (o′, r) ~ N(μ_i(o, a), σ_i(o, a)²)        i sampled in every lane and step
r̃ = r − penalty(μ, σ)                                  of the predictions of all members
an episode starts from an observation of the dataset and is truncated after h steps,
or terminates earlier by the environment's own termination function, which is not learned
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec, Step
from metairl.envs.termination import Ends

Penalty = Callable[[Tensor, Tensor], Tensor]  # of means and standard deviations, [M, B, O + 1], -> [B]


class Model(Protocol):
    elites: Tensor  # [E] int, the members that are sampled

    def predict(self, obs: Tensor, action: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of (o′, r) by every member, [M, B, O + 1]."""
        ...


class LearnedEnv:
    def __init__(
        self,
        model: Model,
        spec: Spec,
        task: Tensor,
        begin: Callable[[], Tensor],
        penalty: Penalty,
        rng: Generator,
        ends: Ends | None = None,  # None: no episode ends early
    ):
        """`begin` samples an observation for every lane; the horizon of `spec` is h."""
        self.model, self.spec, self.task = model, spec, task
        self.lanes = len(task)
        self.begin, self.penalty, self.rng, self.ends = begin, penalty, rng, ends
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.obs, self.age = torch.zeros(self.lanes, spec.obs), self.never.long()

    def reset(self) -> Tensor:
        self.obs, self.age = self.begin(), torch.zeros_like(self.age)
        return self.obs

    def step(self, action: Tensor) -> Step:
        mean, std = self.model.predict(self.obs, action, self.task)
        sample = self._sample(mean, std)
        next_obs, reward = sample[:, :-1], sample[:, -1] - self.penalty(mean, std)
        terminated = self.ends(next_obs) if self.ends else self.never
        self.age = self.age + 1
        over = terminated | (self.age >= self.spec.horizon)
        self.obs = next_obs
        if over.any():
            self.obs = self.begin().where(over.unsqueeze(1), next_obs)
            self.age = self.age * ~over
        return Step(self.obs, reward, terminated, over & ~terminated, self.never, next_obs)

    def _sample(self, mean: Tensor, std: Tensor) -> Tensor:
        """From one elite in every lane, [B, O + 1]."""
        elites = self.model.elites
        who = elites[torch.randint(len(elites), (self.lanes,), generator=self.rng)]
        rows = torch.arange(self.lanes)
        noise = torch.randn(mean.shape[1:], generator=self.rng)
        return mean[who, rows] + std[who, rows] * noise
