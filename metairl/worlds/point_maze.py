"""A point on the plane that has to go around walls to its goal.

    p ← p + 0.1 a,   |aᵢ| ≤ 1,   inside [−1, 1]²        from the plan's start
    r = 1 where |p − goal| ≤ 0.2, else 0                such a step is a success

Walls lie flat and have no thickness; a move through one slides along it. The goal is never seen.

    U           one wall from x = 0.1 to the right edge, which makes the square a U
    CORRIDORS   three, each open at one end, the left and the right in turn: one way of four corridors
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.types import Spec, Step, Tasks
from metairl.worlds.point import STRIDE, at, near

Wall = tuple[float, float, float]  # how high it is, and from where to where it goes


@dataclass(frozen=True)
class Plan:
    start: tuple[float, float]
    walls: tuple[Wall, ...]  # farther from each other than a stride


BEYOND = 2.0  # of the square: an end that is closed
WALL, EDGE = 0.3, 0.1  # of the U: how high, and where it ends
U = Plan((0.6, -0.8), ((WALL, EDGE, BEYOND),))
CORRIDORS = Plan((0.8, -0.75), ((-0.5, -0.6, BEYOND), (0.0, -BEYOND, 0.6), (0.5, -0.6, BEYOND)))


class PointMaze:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator, plan: Plan = U):
        self.task = tasks["goal"].float()  # [B, 2]
        self.plan = plan
        self.lanes = len(self.task)
        self.spec = Spec(obs=2, actions=2, discrete=False, horizon=horizon, episodes=episodes, params=2)
        self.start = torch.tensor(plan.start).repeat(self.lanes, 1)
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.here, self.clock = self.start, 0

    def reset(self) -> Tensor:
        self.here, self.clock = self.start, 0
        return self.here

    def step(self, action: Tensor) -> Step:
        self.clock += 1
        there = moved(self.here, STRIDE * action.clamp(-1, 1), self.plan.walls)
        found = at(there, self.task)
        over = self.clock % self.spec.horizon == 0
        self.here = self.start if over else there
        truncated = ~self.never if over else self.never
        return Step(self.here, found.float(), self.never, truncated, found, there)

    def examples(self, count: int, rng: Generator) -> Tensor:
        """So many states of success of every task, [B, n, O]."""
        return near(self.task, count, rng).clamp(-1, 1)

    def anywhere(self, rng: Generator) -> Tensor:
        """A place for every lane, drawn evenly, [B, 2]."""
        return 2 * torch.rand(self.lanes, 2, generator=rng) - 1

    def at(self, places: Tensor, goals: Tensor) -> Tensor:
        return at(places, goals)


def moved(here: Tensor, by: Tensor, walls: tuple[Wall, ...] = U.walls) -> Tensor:
    """Where a move leads, both [B, 2]."""
    there = (here + by).clamp(-1, 1)
    for height, left, right in walls:
        across = (here[:, 1] < height) != (there[:, 1] < height)
        share = (height - here[:, 1]) / (there[:, 1] - here[:, 1]).where(
            across, 1.0
        )  # of the move, before it
        met = here[:, 0] + share * (there[:, 0] - here[:, 0])
        hits = across & (met > left) & (met < right)
        there = torch.stack([there[:, 0], there[:, 1].where(~hits, here[:, 1])], dim=1)
    return there
