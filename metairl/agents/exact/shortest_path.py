"""Upper bounds in the mazes: they observe the map and go to a neighbouring square nearer to the goal.

    a = argmin_a D(x + a),   D the number of moves to the goal

In first person that way is turned to before it is gone. What is seen does not say where one is, so both count
their own steps from the start.
"""

from math import pi

import torch
from torch import Generator, Tensor

from metairl.core.types import Context, NoConfig, Spec, State
from metairl.tasks.maze_motion import FORWARD, HEADINGS, LEFT, RIGHT, TURN, first_pose, floor_of, walk
from metairl.tasks.maze_text import START
from metairl.tasks.mazes import MOVES, distances, find


class ShortestPath:
    def __init__(self, spec: Spec, config: NoConfig):
        self.side = round(spec.params**0.5)

    def initial(self, lanes: int) -> State:
        return torch.zeros(lanes, self.side, self.side), torch.zeros(lanes, 2, dtype=torch.int64)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        far, here = state
        plans, far, last, begins = read_task(context, far)
        here = find(plans, START).where(begins.unsqueeze(1), here + MOVES[last])
        return nearer(far, here), (far, here)


class ShortestWalk:
    def __init__(self, spec: Spec, config: NoConfig):
        self.side = round(spec.params**0.5)

    def initial(self, lanes: int) -> State:
        return torch.zeros(lanes, self.side, self.side), torch.zeros(lanes, 2), torch.zeros(lanes)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        far, here, facing = state
        plans, far, last, begins = read_task(context, far)
        floor = floor_of(plans)
        start, heading = first_pose(plans, floor)
        here, facing, _ = walk(floor, here, facing, last)
        here, facing = start.where(begins.unsqueeze(1), here), heading.where(begins, facing)
        wanted = HEADINGS[nearer(far, here.long())]
        off = torch.remainder(wanted - facing + pi, 2 * pi) - pi  # to the right is positive
        turn = torch.where(off > 0, RIGHT, LEFT)
        return turn.where(off.abs() > TURN / 2, FORWARD), (far, here, facing)


def read_task(context: Context, far: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The plans, distances in them (found in a trial's first step), the last action, whether lanes begin."""
    assert context.task is not None, "the bound observes the map"
    plans, last = context.task.view_as(far), context.prev_action[:, 0]
    begins = (context.prev_done[:, 0] == 1) | (last.sum(1) == 0)
    return plans, far if last.any() else distances(plans), last.argmax(1), begins


def nearer(far: Tensor, square: Tensor) -> Tensor:
    """The move, up, right, down or left, that leads to the square with the shortest way to go, [B]."""
    around = square.unsqueeze(1) + MOVES  # [B, 4, 2]
    lane = torch.arange(len(square)).unsqueeze(1)
    return far[lane, around[..., 0], around[..., 1]].argmin(1)
