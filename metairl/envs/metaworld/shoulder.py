"""Pushing with the gripper's shoulder, which is behind and above its fingers."""

from torch import Tensor

from metairl.envs.metaworld.shaping import norm, tolerance
from metairl.envs.metaworld.view import Now, Was

SHOULDER = (0.0, 0.055, 0.07)  # seen from the hand
NEAR = 0.02


def shoulder_near(now: Now, was: Was, began: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """To an object that began at a place, axes weighted; the margin is measured from the fingertips."""
    shoulder, scale = now.hand.new_tensor(SHOULDER), now.hand.new_tensor(weights)
    away = norm((now.hand + shoulder - now.object) * scale)
    at_first = norm((was.tcp + shoulder - began) * scale)
    return tolerance(away, 0.0, NEAR, at_first)
