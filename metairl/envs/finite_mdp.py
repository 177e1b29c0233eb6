"""Finite MDPs made from a chart. Observations are one-hot; the reward is that of the state acted in."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from metairl.core.types import Spec, Step, Tasks
from metairl.tasks.finite_mdps import FINITE_MDPS


class FiniteMDPEnv:
    def __init__(self, kind: str, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        self.task = torch.cat([values.flatten(1) for values in tasks.values()], dim=1).float()
        first = next(iter(tasks.values()))  # a field of S cells, or P [B, S, A, S]
        self.states, actions = first.shape[1], first.shape[2] if first.dim() == 4 else 5
        self.lanes = len(first)
        made = FINITE_MDPS[kind](self.task, self.states, actions)
        self.mdp, self.reward = made.mdp, made.reward
        params, features = self.task.shape[1], self.mdp.features.shape[2]
        self.spec = Spec(
            self.states, actions, True, horizon, episodes, params, finite_mdp=kind, features=features
        )
        self.rng = rng
        self.clock = 0
        self.lane = torch.arange(self.lanes)
        self.state = torch.zeros(self.lanes, dtype=torch.int64)
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.always = torch.ones(self.lanes, dtype=torch.bool)

    def reset(self) -> Tensor:
        self.clock = 0
        return self._start()

    def step(self, action: Tensor) -> Step:
        self.clock += 1
        reward = self.reward[self.lane, self.state]
        led = self._drawn(self.mdp.probs_at(self.state, action))
        self.state = self.mdp.successors[self.lane, self.state, led]
        final = self._observe()
        over = self.clock % self.spec.horizon == 0
        obs = self._start() if over else final
        return Step(obs, reward, self.never, self.always if over else self.never, self.never, final)

    def _start(self) -> Tensor:
        self.state = self._drawn(self.mdp.start)
        return self._observe()

    def _drawn(self, probs: Tensor) -> Tensor:
        u = torch.rand(self.lanes, 1, generator=self.rng)
        return (u >= probs.cumsum(-1)[:, :-1]).sum(1)

    def _observe(self) -> Tensor:
        return one_hot(self.state, self.states).float()
