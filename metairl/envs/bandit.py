"""Bernoulli bandits (Duan et al. 2016, section 3.1): p_i ~ U[0, 1], reward 1 with probability p_i.

A trial is one episode of `horizon` pulls. The paper counts every pull as an episode of length 1;
the arms have no state, so both readings are the same decision problem.
"""

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec, Step, Tasks


class Bandit:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        self.task = tasks["arm_means"]  # [B, A]
        self.lanes, arms = self.task.shape
        self.spec = Spec(obs=1, actions=arms, discrete=True, horizon=horizon, episodes=episodes, params=arms)
        self.rng = rng
        self.clock = 0
        self.blank = torch.zeros(self.lanes, 1)  # the one state
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.always = torch.ones(self.lanes, dtype=torch.bool)

    def reset(self) -> Tensor:
        self.clock = 0
        return self.blank

    def step(self, action: Tensor) -> Step:
        self.clock += 1
        chance = self.task.gather(1, action.unsqueeze(1)).squeeze(1)  # [B]
        reward = (torch.rand(self.lanes, generator=self.rng) < chance).float()
        over = self.always if self.clock % self.spec.horizon == 0 else self.never
        return Step(self.blank, reward, self.never, over, self.never, self.blank)
