"""How well a tool with a handle is wielded: the formula that the nuts and the hammer share.

    r        = (2 hold + 6 way) · straight,   way = lifted / 10 + 9 near / 10
    straight = max(1 − |q − q*| / 0.4, 0),    q the tool's orientation, q* how it should be held

What is held is the handle's middle, or its point at the hand's own x where the handle reaches that far.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp
from metairl.envs.metaworld.shaping import distance, norm, tolerance
from metairl.envs.metaworld.view import Now, Was

TABLE = 0.02  # what is higher is lifted


@dataclass(frozen=True)
class Tool:
    length: float  # of the handle, along x
    straight: tuple[float, float, float, float]  # w, x, y, z
    grip: Grip


def wield(now: Now, was: Was, tool: Tool, way: Tensor) -> Tensor:
    x, hand = now.object[:, :1], now.hand[:, :1]
    along = torch.where((x - hand).abs() < tool.length / 2, hand, x)
    hold = grasp(now, was, tool.grip, torch.cat([along, now.object[:, 1:]], dim=1))
    tilt = norm(now.seen[:, 7:11] - now.seen.new_tensor(tool.straight))
    return (2 * hold + 6 * way) * (1 - tilt / 0.4).clamp(min=0)


def way_of(lifted: Tensor, near: Tensor) -> Tensor:
    return 0.1 * lifted.to(near) + 0.9 * near


def way_to(goal: Tensor, place: Tensor) -> Tensor:
    return way_of(place[:, 2] > TABLE, tolerance(distance(goal, place), 0.0, 0.02, 0.2))
