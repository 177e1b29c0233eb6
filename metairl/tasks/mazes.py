"""Perfect mazes: between any two cells there is one way.

A maze of n × n cells is a map of (2n + 1) × (2n + 1) squares, cells at odd coordinates and what is between
them a wall or an opening. The openings are a uniformly random spanning tree of the cells, drawn by a random
walk (Aldous 1990; Broder 1989): the step that first enters a cell opens the wall it went through. Start and
goal are two different cells, any two alike.
"""

import torch
from torch import Generator, Tensor

from metairl.tasks.maze_text import FREE, GOAL, START, WALL

MOVES = torch.tensor([[-1, 0], [0, 1], [1, 0], [0, -1]])  # up, right, down, left: rows, columns


def draw_plans(cells: int, count: int, rng: Generator) -> Tensor:
    """`count` maps of codes, [count, 2n + 1, 2n + 1]."""
    side = 2 * cells + 1
    plans = torch.full((count, side, side), WALL)
    lane = torch.arange(count)
    here = torch.randint(cells, (count, 2), generator=rng)
    _set(plans, lane, 2 * here + 1, FREE)
    left = count * (cells * cells - 1)  # cells that no walk has entered yet
    while left:
        move = MOVES[torch.randint(4, (count,), generator=rng)]
        there = (here + move).clamp(0, cells - 1)
        new = plans[lane, *(2 * there + 1).unbind(1)] == WALL
        _set(plans, lane[new], (here + there + 1)[new], FREE)  # the square between the two
        _set(plans, lane[new], (2 * there + 1)[new], FREE)
        here = there
        left -= int(new.sum())
    ends = torch.rand(count, cells * cells, generator=rng).topk(2, dim=1).indices
    for code, cell in ((START, ends[:, 0]), (GOAL, ends[:, 1])):
        _set(plans, lane, torch.stack([2 * (cell // cells) + 1, 2 * (cell % cells) + 1], dim=1), code)
    return plans


def find(plans: Tensor, code: int) -> Tensor:
    """The square of each map that holds a code, [B, 2]."""
    index = (plans == code).flatten(1).int().argmax(1)
    side = plans.shape[-1]
    return torch.stack([index // side, index % side], dim=1)


def distances(plans: Tensor) -> Tensor:
    """Moves from every square to the goal, [B, side, side]; infinite in walls and where no way leads."""
    walls = plans == WALL
    steps = torch.full(plans.shape, float("inf")).masked_fill(plans == GOAL, 0.0)
    while True:
        wide = torch.nn.functional.pad(steps, (1, 1, 1, 1), value=float("inf"))
        around = torch.stack([wide[:, :-2, 1:-1], wide[:, 2:, 1:-1], wide[:, 1:-1, :-2], wide[:, 1:-1, 2:]])
        shorter = torch.minimum(steps, around.amin(0) + 1).masked_fill(walls, float("inf"))
        if torch.equal(shorter, steps):
            return steps
        steps = shorter


def _set(plans: Tensor, lane: Tensor, square: Tensor, code: int) -> None:
    plans[lane, square[:, 0], square[:, 1]] = code
