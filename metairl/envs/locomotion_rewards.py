"""What a task may ask of a body: the part of the reward that differs from task to task.

Each takes how fast the body moves along its axes, where it is, and the task's own parameter, [B, …] each.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from metairl.core.types import GoalSpec

SAME_SPEED = 0.1  # how far from the wanted one, in metres a second, still is that


def forward(speed: Tensor, place: Tensor, sign: Tensor) -> Tensor:
    """As fast as it can along the first axis, or against it where the sign is −1."""
    return sign[:, 0] * speed[:, 0]


def velocity(speed: Tensor, place: Tensor, wanted: Tensor) -> Tensor:
    """At one speed along the first axis."""
    return -(speed[:, 0] - wanted[:, 0]).abs()


def direction(speed: Tensor, place: Tensor, angle: Tensor) -> Tensor:
    """Speed along a direction, given by its angle."""
    return (speed * torch.cat([angle.cos(), angle.sin()], dim=1)).sum(1)


def goal(speed: Tensor, place: Tensor, there: Tensor) -> Tensor:
    """Near a place, by the sum of the distances along the axes."""
    return -(place - there).abs().sum(1)


AIMS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "forward": forward,
    "velocity": velocity,
    "direction": direction,
    "goal": goal,
}


def speed_seen(at: int) -> GoalSpec:
    """Of the aim `velocity`: how fast the body is when it is seen, which stands there in what is seen."""

    def achieved(obs: Tensor) -> Tensor:
        return obs[..., at : at + 1]

    def with_goal(task: Tensor, speed: Tensor) -> Tensor:
        return speed

    return GoalSpec(achieved, with_goal, SAME_SPEED)
