"""Walking on a floor plan in first person: where a step forward or a turn leads.

A pose is a place, [B, 2] in rows and columns of squares, and a heading, [B], in radians from right to down.
A step forward goes from the middle of a cell to the middle of the next; along a wall one slides.
"""

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from metairl.tasks.maze_text import START, WALL
from metairl.tasks.mazes import find

FORWARD, LEFT, RIGHT = 0, 1, 2
SPEED, TURN = 2.0, pi / 4  # squares, radians
SUBSTEPS = 8  # of a step forward, so short that no wall is stepped over
BODY = 0.2  # half the walker's width
WAYS_OUT = torch.tensor([-pi / 2, 0.0, pi / 2, pi])  # up, right, down, left, as floor_plans.MOVES


@dataclass(frozen=True)
class Floor:
    """The walls of B plans, flat."""

    walls: Tensor  # [B · squares] bool
    first: Tensor  # [B], of each lane's squares
    side: int

    def square(self, place: Tensor) -> Tensor:
        """The flat index of the square that a place is in, [B]."""
        return self.first + place.long() @ torch.tensor([self.side, 1])

    def blocked(self, place: Tensor) -> Tensor:
        return self.walls[self.square(place)]


def floor_of(plans: Tensor) -> Floor:
    lanes, side, _ = plans.shape
    return Floor((plans == WALL).flatten(), torch.arange(lanes) * side**2, side)


def first_pose(plans: Tensor, floor: Floor) -> tuple[Tensor, Tensor]:
    """In the middle of the start, looking along the first way out of it: up, right, down or left."""
    here = find(plans, START) + 0.5
    out = torch.stack([~floor.blocked(here + direction(angle)) for angle in WAYS_OUT], dim=1)
    return here, WAYS_OUT[out.int().argmax(1)]


def walk(floor: Floor, here: Tensor, facing: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pose after an action, and whether a wall was met."""
    facing = facing + TURN * ((action == RIGHT).float() - (action == LEFT).float())
    stride = direction(facing) * ((action == FORWARD) * SPEED / SUBSTEPS).unsqueeze(1)
    bump = torch.zeros(len(here), dtype=torch.bool)
    for _ in range(SUBSTEPS):
        for axis in range(2):
            there = here.clone()
            there[:, axis] += stride[:, axis]
            edge = there.clone()
            edge[:, axis] += BODY * stride[:, axis].sign()
            met = floor.blocked(edge)
            here = here.where(met.unsqueeze(1), there)
            bump |= met
    return here, facing, bump


def direction(angle: Tensor) -> Tensor:
    """[…] -> […, 2], of length 1."""
    return torch.stack([angle.sin(), angle.cos()], dim=-1)
