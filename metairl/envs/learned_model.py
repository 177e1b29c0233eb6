"""A world that was learned: an ensemble says what each step leads to, and the logs where episodes begin.

    i ~ any elite,  (o′, r) ~ N(μ_i(o, a), σ_i(o, a)²)     i anew in every lane and step
    r̃ = r − penalty(μ, σ)                                  of what all members say
    an episode begins in an observation of the logs and is cut after h steps
    where what a step led to is an end, it is over before

Ends are not learned: whoever makes the world knows them.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec, Step
from metairl.envs.termination import Ends

Penalty = Callable[[Tensor, Tensor], Tensor]  # of means and standard deviations, [M, B, O + 1], -> [B]


class Model(Protocol):
    elites: Tensor  # [E] int, the members to be believed

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
        """`begin` draws an observation for every lane; the horizon of `spec` is h."""
        self.model, self.spec, self.task = model, spec, task
        self.lanes = len(task)
        self.begin, self.penalty, self.rng, self.ends = begin, penalty, rng, ends
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.here, self.age = torch.zeros(self.lanes, spec.obs), self.never.long()

    def reset(self) -> Tensor:
        self.here, self.age = self.begin(), torch.zeros_like(self.age)
        return self.here

    def step(self, action: Tensor) -> Step:
        mean, std = self.model.predict(self.here, action, self.task)
        drawn = self._drawn(mean, std)
        there, reward = drawn[:, :-1], drawn[:, -1] - self.penalty(mean, std)
        terminated = self.ends(there) if self.ends else self.never
        self.age = self.age + 1
        over = terminated | (self.age >= self.spec.horizon)
        self.here = there
        if over.any():
            self.here = self.begin().where(over.unsqueeze(1), there)
            self.age = self.age * ~over
        return Step(self.here, reward, terminated, over & ~terminated, self.never, there)

    def _drawn(self, mean: Tensor, std: Tensor) -> Tensor:
        """From what one elite says, in every lane another one, [B, O + 1]."""
        elites = self.model.elites
        who = elites[torch.randint(len(elites), (self.lanes,), generator=self.rng)]
        rows = torch.arange(self.lanes)
        noise = torch.randn(mean.shape[1:], generator=self.rng)
        return mean[who, rows] + std[who, rows] * noise
