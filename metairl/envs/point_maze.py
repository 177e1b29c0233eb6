"""A point on the plane that has to go around a wall to its goal.

    p ← p + 0.1 a,   |aᵢ| ≤ 1,   inside [−1, 1]²        from (0.6, −0.8)
    r = 1 where |p − goal| ≤ 0.2, else 0                such a step is a success

The wall lies on y = 0.3 from x = 0.1 to the right edge, which makes the square a U. A move through it slides
along it. Goals are above the wall and farther from it than 0.2; the goal is never seen.
"""

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec, Step, Tasks
from metairl.envs.point import STRIDE, at, near

START = (0.6, -0.8)
WALL, EDGE = 0.3, 0.1  # how high it is, and where it ends


class PointMaze:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        self.task = tasks["goal"].float()  # [B, 2]
        self.lanes = len(self.task)
        self.spec = Spec(obs=2, actions=2, discrete=False, horizon=horizon, episodes=episodes, params=2)
        self.start = torch.tensor(START).repeat(self.lanes, 1)
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.here, self.clock = self.start, 0

    def reset(self) -> Tensor:
        self.here, self.clock = self.start, 0
        return self.here

    def step(self, action: Tensor) -> Step:
        self.clock += 1
        there = moved(self.here, STRIDE * action.clamp(-1, 1))
        found = at(there, self.task)
        over = self.clock % self.spec.horizon == 0
        self.here = self.start if over else there
        truncated = ~self.never if over else self.never
        return Step(self.here, found.float(), self.never, truncated, found, there)

    def examples(self, count: int, rng: Generator) -> Tensor:
        """So many states of success of every task, [B, n, O]."""
        return near(self.task, count, rng).clamp(-1, 1)

    def sample_goals(self, rng: Generator) -> Tensor:
        """A place for every lane, drawn evenly from the square, [B, 2]."""
        return 2 * torch.rand(self.lanes, 2, generator=rng) - 1

    def at(self, places: Tensor, goals: Tensor) -> Tensor:
        return at(places, goals)


def moved(here: Tensor, by: Tensor) -> Tensor:
    """Where a move leads, both [B, 2]."""
    there = (here + by).clamp(-1, 1)
    across = (here[:, 1] < WALL) != (there[:, 1] < WALL)
    share = (WALL - here[:, 1]) / (there[:, 1] - here[:, 1]).where(across, 1.0)  # of the move, before it
    hits = across & (here[:, 0] + share * (there[:, 0] - here[:, 0]) > EDGE)
    return torch.stack([there[:, 0], there[:, 1].where(~hits, here[:, 1])], dim=1)
