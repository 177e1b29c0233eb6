"""A maze in squares: up, right, down, left, until the goal is found. The cheap sibling of `maze`.

    r = 1 at the goal, −0.01 a step, −0.001 more where a wall was run into        Mishra et al. 2018

What is seen is the 5 × 5 squares around: where walls are, and where the goal is. Maze and goal stay the same
in a trial, and every episode begins at the same start, so the second can go straight to what the first found.
"""

from copy import copy

import torch
from einops import rearrange
from torch import Generator, Tensor

from metairl.core.types import Spec, Step, Tasks
from metairl.tasks.maze_text import GOAL, START, WALL
from metairl.tasks.mazes import MOVES, find

SIGHT = 2  # squares to every side
STEP_COST, BUMP_COST = 0.01, 0.001


class MazeGrid:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        plans, self.rng = tasks["plan"], rng  # [B, side, side]
        self.lanes, side, _ = plans.shape
        self.task = plans.flatten(1).float()
        self.views = views(plans)  # [B · squares, 2 · window]
        self.spec = Spec(self.views.shape[1], len(MOVES), True, horizon, episodes, params=side * side)
        self.walls = (plans == WALL).flatten()  # [B · squares]
        self.first = torch.arange(self.lanes) * side * side  # of each lane's squares
        self.start, self.goal = (
            self.first + find(plans, code) @ torch.tensor([side, 1]) for code in (START, GOAL)
        )
        self.move = MOVES @ torch.tensor([side, 1])  # [4]
        self.here, self.age = self.start.clone(), torch.zeros(self.lanes, dtype=torch.int64)

    @property
    def place(self) -> Tensor:
        """Rows and columns of where the lanes are, in the middle of a square, [B, 2]."""
        side = round(self.spec.params**0.5)
        square = self.here - self.first
        return torch.stack([square // side, square % side], dim=1) + 0.5

    def select(self, rows: Tensor) -> "MazeGrid":
        """Some of the lanes; where they are is an index into all plans, which stay."""
        some = copy(self)
        some.lanes = int(rows.sum())
        for name in ("task", "first", "start", "goal", "here", "age"):
            setattr(some, name, getattr(self, name)[rows])
        return some

    def reset(self) -> Tensor:
        self.here, self.age = self.start.clone(), torch.zeros_like(self.age)
        return self.views[self.here]

    def reset_lanes(self, lanes: Tensor, tasks: Tasks) -> Tensor:
        new = MazeGrid(tasks, self.spec.horizon, self.spec.episodes, self.rng)
        for name in ("views", "walls"):  # one row a square
            squares = getattr(self, name).unflatten(0, (self.lanes, -1))
            anew = getattr(new, name).unflatten(0, (new.lanes, -1))
            setattr(self, name, squares.index_put((lanes,), anew).flatten(0, 1))
        away = self.first[lanes] - new.first
        new.start, new.goal, new.here = new.start + away, new.goal + away, new.here + away
        for name in ("task", "start", "goal", "here", "age"):
            setattr(self, name, getattr(self, name).index_put((lanes,), getattr(new, name)))
        return self.views[new.here]

    def step(self, action: Tensor) -> Step:
        there = self.here + self.move[action]
        bump = self.walls[there]
        self.here = self.here.where(bump, there)
        self.age += 1
        found = self.here == self.goal
        late = (self.age >= self.spec.horizon) & ~found
        reward = found.float() - STEP_COST - BUMP_COST * bump
        final = self.views[self.here]
        over = found | late
        self.here = self.start.where(over, self.here)
        self.age = self.age.masked_fill(over, 0)
        obs = self.views[self.here] if over.any() else final
        return Step(obs, reward, found, late, found, final)


def views(plans: Tensor) -> Tensor:
    """What is seen from every square of every plan, walls before goal; beyond the map there is wall."""
    wide = torch.nn.functional.pad(plans, (SIGHT,) * 4, value=WALL)
    layers = torch.stack([wide == WALL, wide == GOAL], dim=1).float()  # [B, 2, wide, wide]
    seen = torch.nn.functional.unfold(layers, 2 * SIGHT + 1)  # [B, 2 · window, squares]
    return rearrange(seen, "lanes view squares -> (lanes squares) view").contiguous()
