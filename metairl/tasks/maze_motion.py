"""Motion in first-person mazes: moving forward and turning, with collisions.

A pose is a position, [B, 2] in rows and columns of squares, and a heading, [B] in radians, 0 to the right and
π/2 down. A step forward is as long as the way from the middle of a cell to the middle of the next. A body that
hits a wall at an angle slides along it.
"""

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from metairl.tasks.maze_text import START, WALL
from metairl.tasks.mazes import find

FORWARD, LEFT, RIGHT = 0, 1, 2
SPEED, TURN = 2.0, pi / 4  # squares per step forward, radians per turn
SUBSTEPS = 8  # of a step forward, short enough that no wall is skipped
BODY = 0.2  # half the width of the body
HEADINGS = torch.tensor([-pi / 2, 0.0, pi / 2, pi])  # up, right, down, left, as `mazes.MOVES`


@dataclass(frozen=True)
class Floor:
    """The walls of B mazes in one flat tensor."""

    walls: Tensor  # [B · squares] bool
    first: Tensor  # [B], index of each lane's first square
    side: int

    def square(self, position: Tensor) -> Tensor:
        """Flat index of the square at a position, [B, 2] -> [B]."""
        return self.first + position.long() @ torch.tensor([self.side, 1])

    def blocked(self, position: Tensor) -> Tensor:
        """Whether a wall is at a position, [B, 2] -> [B] bool."""
        return self.walls[self.square(position)]


def floor_of(plans: Tensor) -> Floor:
    lanes, side, _ = plans.shape
    return Floor((plans == WALL).flatten(), torch.arange(lanes) * side**2, side)


def first_pose(plans: Tensor, floor: Floor) -> tuple[Tensor, Tensor]:
    """The middle of the start, with the first heading that is not blocked of up, right, down and left."""
    position = find(plans, START) + 0.5
    free = torch.stack([~floor.blocked(position + direction(angle)) for angle in HEADINGS], dim=1)
    return position, HEADINGS[free.int().argmax(1)]


def walk(floor: Floor, position: Tensor, heading: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pose after an action, and whether a wall was hit, [B] bool."""
    heading = heading + TURN * ((action == RIGHT).float() - (action == LEFT).float())
    stride = direction(heading) * ((action == FORWARD) * SPEED / SUBSTEPS).unsqueeze(1)
    hit = torch.zeros(len(position), dtype=torch.bool)
    for _ in range(SUBSTEPS):
        for axis in range(2):
            moved = position.clone()
            moved[:, axis] += stride[:, axis]
            edge = moved.clone()
            edge[:, axis] += BODY * stride[:, axis].sign()
            blocked = floor.blocked(edge)
            position = position.where(blocked.unsqueeze(1), moved)
            hit |= blocked
    return position, heading, hit


def direction(angle: Tensor) -> Tensor:
    """Unit vector of a heading, […] -> […, 2]."""
    return torch.stack([angle.sin(), angle.cos()], dim=-1)
