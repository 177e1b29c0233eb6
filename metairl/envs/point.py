"""A point on the plane that is to find its goal (Rakelly et al. 2019): the smallest continuous control.

    p ← p + 0.1 a,   |aᵢ| ≤ 1
    r = −|p − goal|                              dense
    r = 1 − |p − goal| where |p − goal| ≤ 0.2, else 0      sparse: the goal must be searched for

The goal is never seen. Every episode begins at the origin. A step within 0.2 of a sparse goal is a
success, and the dense reward is given beside the sparse one, for methods that train on it as PEARL does.
"""

import torch
from torch import Generator, Tensor

from metairl.core.types import GoalSpec, Spec, Step, Tasks

STRIDE = 0.1
NEAR = 0.2  # where a sparse goal begins to pay, and what counts as there


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
        reward, success, shaped = self.pay((there - self.task).norm(dim=1))
        over = self.clock % self.spec.horizon == 0
        self.here = self.origin if over else there
        truncated = ~self.never if over else self.never
        return Step(self.here, reward, self.never, truncated, success, there, shaped=shaped)

    def examples(self, count: int, rng: Generator) -> Tensor:
        """So many states at the goal of every task, [B, n, O]."""
        return near(self.task, count, rng)

    def sample_goals(self, rng: Generator) -> Tensor:
        """A place for every lane, drawn evenly from [−1, 1]²."""
        return 2 * torch.rand(self.lanes, 2, generator=rng) - 1

    def at(self, places: Tensor, goals: Tensor) -> Tensor:
        return at(places, goals)

    def pay(self, away: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Reward, success and a shaped reward."""
        return -away, self.never, None


class SparsePoint(Point):
    def pay(self, away: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        found = away <= NEAR
        return (1 - away).where(found, 0.0), found, -away


def at(places: Tensor, goals: Tensor) -> Tensor:
    """Whether places, [..., 2], are at goals."""
    there: Tensor = (places - goals).norm(dim=-1) <= NEAR
    return there


def place(obs: Tensor) -> Tensor:
    """What a point sees is where it is."""
    return obs


def sent_to(task: Tensor, goal: Tensor) -> Tensor:
    return goal


GOAL = GoalSpec(place, sent_to, NEAR)


def near(goal: Tensor, count: int, rng: Generator) -> Tensor:
    """So many places drawn evenly from the disc around each goal, [B, 2] -> [B, n, 2]."""
    radius, turn = torch.rand(2, len(goal), count, generator=rng)
    angle = 2 * torch.pi * turn
    way = torch.stack([angle.cos(), angle.sin()], dim=-1)
    places: Tensor = goal.unsqueeze(1) + NEAR * radius.sqrt().unsqueeze(-1) * way
    return places
