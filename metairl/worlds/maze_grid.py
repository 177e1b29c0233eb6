"""A maze in squares: up, right, down, left, until the goal is found. The cheap sibling of `maze`.

    r = 1 at the goal, −0.01 a step, −0.001 more where a wall was run into        Mishra et al. 2018

What is seen is the 5 × 5 squares around: where walls are, and where the goal is. Maze and goal stay the same
in a trial, and every episode begins at the same start, so the second can go straight to what the first found.
"""

import torch
from torch import Generator, Tensor

from metairl.floor_plans import GOAL, MOVES, START, WALL, find
from metairl.types import Spec, Step, Tasks

SIGHT = 2  # squares to every side
STEP_COST, BUMP_COST = 0.01, 0.001


class MazeGrid:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        plans = tasks["plan"]  # [B, side, side]
        self.lanes, side, _ = plans.shape
        self.task = plans.flatten(1).float()
        window = (2 * SIGHT + 1) ** 2
        self.spec = Spec(2 * window, len(MOVES), True, horizon, episodes, params=side * side)
        wide = torch.nn.functional.pad(plans, (SIGHT,) * 4, value=WALL)
        self.row = wide.shape[-1]  # of the flat map
        self.walls, self.goals = (wide == WALL).flatten(1), (wide == GOAL).flatten(1)
        near = torch.arange(-SIGHT, SIGHT + 1)
        self.around = (near[:, None] * self.row + near).flatten()  # [window]
        self.start, self.goal = (self._flat(find(plans, code)) for code in (START, GOAL))
        self.move = MOVES @ torch.tensor([self.row, 1])  # [4]
        self.here, self.age = self.start.clone(), torch.zeros(self.lanes, dtype=torch.int64)

    def reset(self) -> Tensor:
        self.here, self.age = self.start.clone(), torch.zeros_like(self.age)
        return self._observe()

    def step(self, action: Tensor) -> Step:
        there = self.here + self.move[action]
        bump = self.walls.gather(1, there.unsqueeze(1)).squeeze(1)
        self.here = self.here.where(bump, there)
        self.age += 1
        found = self.here == self.goal
        late = (self.age >= self.spec.horizon) & ~found
        reward = found.float() - STEP_COST - BUMP_COST * bump
        final = self._observe()
        over = found | late
        self.here = self.start.where(over, self.here)
        self.age = self.age.masked_fill(over, 0)
        obs = self._observe() if over.any() else final
        return Step(obs, reward, found, late, found, final)

    def _observe(self) -> Tensor:
        squares = self.here.unsqueeze(1) + self.around  # [B, window]
        return torch.cat([self.walls.gather(1, squares), self.goals.gather(1, squares)], dim=1).float()

    def _flat(self, square: Tensor) -> Tensor:
        return (square[:, 0] + SIGHT) * self.row + square[:, 1] + SIGHT
