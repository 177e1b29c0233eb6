"""Perfect mazes: there is exactly one path between any two cells.

A maze of n × n cells is a map of (2n + 1) × (2n + 1) squares: cells at odd coordinates, and a wall or an
opening between any two neighbours. The openings are a uniformly random spanning tree of the cells, sampled by
a random walk (Aldous 1990; Broder 1989): the step that first enters a cell opens the wall between. Start and
goal are two different cells, uniformly random.
"""

import torch
from torch import Generator, Tensor

from metairl.tasks.maze_text import FREE, GOAL, START, WALL

MOVES = torch.tensor([[-1, 0], [0, 1], [1, 0], [0, -1]])  # row and column offsets of up, right, down, left


def draw_plans(cells: int, count: int, rng: Generator) -> Tensor:
    """Samples mazes of n × n cells, as codes of `maze_text`, [count, 2n + 1, 2n + 1]."""
    side = 2 * cells + 1
    plans = torch.full((count, side, side), WALL)
    lane = torch.arange(count)
    cell = torch.randint(cells, (count, 2), generator=rng)
    _set(plans, lane, 2 * cell + 1, FREE)
    unvisited = count * (cells * cells - 1)
    while unvisited:
        move = MOVES[torch.randint(4, (count,), generator=rng)]
        next_cell = (cell + move).clamp(0, cells - 1)
        new = plans[lane, *(2 * next_cell + 1).unbind(1)] == WALL
        _set(plans, lane[new], (cell + next_cell + 1)[new], FREE)  # the square between the two
        _set(plans, lane[new], (2 * next_cell + 1)[new], FREE)
        cell = next_cell
        unvisited -= int(new.sum())
    ends = torch.rand(count, cells * cells, generator=rng).topk(2, dim=1).indices
    for code, index in ((START, ends[:, 0]), (GOAL, ends[:, 1])):
        _set(plans, lane, torch.stack([2 * (index // cells) + 1, 2 * (index % cells) + 1], dim=1), code)
    return plans


def find(plans: Tensor, code: int) -> Tensor:
    """Row and column of the first square with a code in each maze, [B, 2]."""
    index = (plans == code).flatten(1).int().argmax(1)
    side = plans.shape[-1]
    return torch.stack([index // side, index % side], dim=1)


def distances(plans: Tensor) -> Tensor:
    """Steps from every square to the goal, [B, side, side]; infinite where it cannot be reached."""
    walls = plans == WALL
    steps = torch.full(plans.shape, float("inf")).masked_fill(plans == GOAL, 0.0)
    while True:
        padded = torch.nn.functional.pad(steps, (1, 1, 1, 1), value=float("inf"))
        neighbours = torch.stack(
            [padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]]
        )
        shorter = torch.minimum(steps, neighbours.amin(0) + 1).masked_fill(walls, float("inf"))
        if torch.equal(shorter, steps):
            return steps
        steps = shorter


def _set(plans: Tensor, lane: Tensor, square: Tensor, code: int) -> None:
    plans[lane, square[:, 0], square[:, 1]] = code
