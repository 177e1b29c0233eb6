"""How well the gripper holds an object: the three formulas that half of Meta-World's rewards share.

    cage   y:   both fingers beside the object, each within `pad` of it and no nearer than `radius`
           xz:  fingertips within `xz` of the object, seen from the front
    hold   = both(cage, closing where cage > 0.97 else 0),   closing = clip(grip, 0, effort) / effort
    dense  "cage":   (hold + cage) / 2
           "reach":  (hold + tolerance of the fingertips' distance) / 2
           "none":   hold

Margins are distances at the beginning of the episode. The formulas differ in how a finger is measured:

    grasp    |finger − object| against a margin of the finger's own distance to where the object was
    pinch    the finger's signed distance, against a margin of the object's distance to where the finger was
    squeeze  as pinch; hold = both fingers within `slack` of the object where cage > 0.95 else 0,
             and always (hold + cage) / 2: the gripper's action does not count

"Where the finger was" is, in the package, a live view of where it is: so it is here.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.view import Now, Was

CAGED, CAGED_TO_SQUEEZE = 0.97, 0.95
FRONT = [0, 2]  # x and z


@dataclass(frozen=True)
class Grip:
    radius: float  # of the object
    pad: float  # a finger no farther than this is beside it
    xz: float
    reach: float = 0.01
    effort: float = 1.0
    dense: Literal["cage", "reach", "none"] = "cage"


def grasp(now: Now, was: Was, grip: Grip, at: Tensor, began: Tensor | None = None) -> Tensor:
    """Of an object at a place, [B, 3], that began at another."""
    began = was.object if began is None else began
    fingers = torch.stack([now.scene.left_pad[:, 1], now.scene.right_pad[:, 1]], dim=1)
    apart, apart_from_start = (fingers - at[:, 1:2]).abs(), (fingers - began[:, 1:2]).abs()
    left, right = tolerance(apart, grip.radius, grip.pad, (apart_from_start - grip.pad).abs()).unbind(1)
    front = _in_front(now, was, grip, at, began)
    return _held(now, was, grip, both(both(left, right), front), at, began)


def pinch(now: Now, was: Was, grip: Grip, at: Tensor, began: Tensor | None = None) -> Tensor:
    began = was.object if began is None else began
    caged = both(_between(now, grip, at, grip.pad), _in_front(now, was, grip, at, began))
    return _held(now, was, grip, caged, at, began)


def squeeze(now: Now, was: Was, grip: Grip, slack: float, at: Tensor) -> Tensor:
    caged = both(_between(now, grip, at, grip.pad), _in_front(now, was, grip, at, was.object))
    squeezed = _between(now, grip, at, grip.radius + slack)
    return (caged + torch.where(caged > CAGED_TO_SQUEEZE, squeezed, 0.0)) / 2


def _between(now: Now, grip: Grip, at: Tensor, far: float) -> Tensor:
    """The object is between the fingers, and none is farther than that."""
    left, right = (
        tolerance(beside, grip.radius, far, ((at[:, 1] - finger).abs() - grip.pad).abs())
        for beside, finger in (
            (now.scene.left_pad[:, 1] - at[:, 1], now.scene.left_pad[:, 1]),
            (at[:, 1] - now.scene.right_pad[:, 1], now.scene.right_pad[:, 1]),
        )
    )
    return both(left, right)


def _in_front(now: Now, was: Was, grip: Grip, at: Tensor, began: Tensor) -> Tensor:
    margin = norm(began[:, FRONT] - was.tcp[:, FRONT]) - grip.xz
    return tolerance(norm(now.scene.tcp[:, FRONT] - at[:, FRONT]), 0.0, grip.xz, margin)


def _held(now: Now, was: Was, grip: Grip, caged: Tensor, at: Tensor, began: Tensor) -> Tensor:
    closing = now.grip.clamp(0, grip.effort) / grip.effort
    held = both(caged, torch.where(caged > CAGED, closing, 0.0))
    match grip.dense:
        case "cage":
            return (held + caged) / 2
        case "reach":
            margin = (distance(began, was.tcp) - grip.reach).abs()
            return (held + tolerance(distance(at, now.scene.tcp), 0.0, grip.reach, margin)) / 2
        case "none":
            return held
