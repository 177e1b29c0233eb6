"""Random tabular MDPs (Duan et al. 2016, section 3.2).

    P(· | s, a) ~ Dirichlet(1, …, 1),   r(s, a) = m(s, a) + N(0, 1),   m(s, a) ~ N(1, 1)

10 states, 5 actions, episodes of 10 steps that all begin in state 0. Observations are one-hot.
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from metairl.core.types import Spec, Step, Tasks


class Tabular:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        transitions, means = tasks["transitions"], tasks["reward_means"]  # [B, S, A, S], [B, S, A]
        self.lanes, self.states, actions = means.shape
        self.task = torch.cat([transitions.flatten(1), means.flatten(1)], dim=1)
        self.spec = Spec(self.states, actions, True, horizon, episodes, params=self.task.shape[1])
        self.means = means.flatten(0, 2)  # [B·S·A]
        self.cdf = transitions.cumsum(-1)[..., :-1].flatten(0, 2)  # [B·S·A, S−1]
        self.rng = rng
        self.clock = 0
        self.state = torch.zeros(self.lanes, dtype=torch.int64)
        self.first_row = torch.arange(self.lanes) * self.states * actions  # [B], row of (lane, 0, 0)
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.always = torch.ones(self.lanes, dtype=torch.bool)

    def reset(self) -> Tensor:
        self.clock = 0
        self.state = torch.zeros_like(self.state)
        return self._observe()

    def step(self, action: Tensor) -> Step:
        self.clock += 1
        row = self.first_row + self.state * self.spec.actions + action
        reward = self.means[row] + torch.randn(self.lanes, generator=self.rng)
        u = torch.rand(self.lanes, 1, generator=self.rng)
        self.state = (u >= self.cdf[row]).sum(1)
        final = self._observe()
        over = self.clock % self.spec.horizon == 0
        obs = self._start() if over else final
        return Step(obs, reward, self.never, self.always if over else self.never, self.never, final)

    def _start(self) -> Tensor:
        self.state = torch.zeros_like(self.state)
        return self._observe()

    def _observe(self) -> Tensor:
        return one_hot(self.state, self.states).float()
