"""A point on the plane that is to find its goal (Rakelly et al. 2019): the smallest continuous control.

    p ← p + 0.1 a,   |aᵢ| ≤ 1
    r = −|p − goal|                              dense
    r = 1 − |p − goal| where |p − goal| ≤ 0.2, else 0      sparse: the goal must be searched for

The goal is never seen. Every episode begins at the origin.
"""

import torch
from torch import Generator, Tensor

from metairl.types import Spec, Step, Tasks

STRIDE = 0.1
NEAR = 0.2  # where a sparse goal begins to pay


class Point:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        self.task = tasks["goal"].float()  # [B, 2]
        self.lanes = len(self.task)
        self.spec = Spec(obs=2, actions=2, discrete=False, horizon=horizon, episodes=episodes, params=2)
        self.origin = torch.zeros(self.lanes, 2)
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.here, self.clock = self.origin, 0

    def reset(self) -> Tensor:
        self.here, self.clock = self.origin, 0
        return self.here

    def step(self, action: Tensor) -> Step:
        self.clock += 1
        there = self.here + STRIDE * action.clamp(-1, 1)
        reward = self.reward((there - self.task).norm(dim=1))
        over = self.clock % self.spec.horizon == 0
        self.here = self.origin if over else there
        truncated = ~self.never if over else self.never
        return Step(self.here, reward, self.never, truncated, self.never, there)

    def reward(self, away: Tensor) -> Tensor:
        return -away


class SparsePoint(Point):
    def reward(self, away: Tensor) -> Tensor:
        return (1 - away).where(away <= NEAR, 0.0)
