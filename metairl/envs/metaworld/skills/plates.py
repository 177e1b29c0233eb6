"""Plates that slide: forward, back, and to a side."""

import torch
from torch import Tensor

from metairl.envs.metaworld.shaping import both, distance, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

NEAR = 0.05  # of the plate to its target, of the fingertips to the plate
ARRIVED = 0.07  # within which it is a success
TOUCH, LOW = 0.07, 0.03  # fingertips so near to the plate, and so low, hold it down


def sees_plate(scene: Scene) -> list[Tensor]:
    return [scene.geom("puck"), scene.geom_quat("puck")]


def push(now: Now, was: Was) -> Verdict:
    in_place, reached = _progress(now, was, spared=0.0)
    return _unless_there(now, was, 8 * both(reached, in_place))


def drag(now: Now, was: Was) -> Verdict:
    """With the fingertips on the plate."""
    in_place, reached = _progress(now, was, spared=NEAR)
    tcp = now.scene.tcp
    held_down = (tcp[:, 2] <= LOW) & (distance(tcp, now.object) < TOUCH)
    return _unless_there(now, was, torch.where(held_down, 2 + 7 * in_place, 1.5 * reached))


def _progress(now: Now, was: Was, spared: float) -> tuple[Tensor, Tensor]:
    """Of the plate to its target, and of the fingertips to it; margins are shorter by what is spared."""
    to_go, to_reach = distance(was.object, was.target), distance(was.tcp, was.object)
    in_place = tolerance(distance(now.object, was.target), 0.0, NEAR, to_go - spared)
    reached = tolerance(distance(now.scene.tcp, now.object), 0.0, NEAR, to_reach - spared)
    return in_place, reached


def _unless_there(now: Now, was: Was, reward: Tensor) -> Verdict:
    away = distance(now.object, was.target)
    return Verdict(torch.where(away < NEAR, 10.0, reward), away <= ARRIVED)


SKILLS = {
    "plate-slide-back-side-v3": Skill(sees_plate, drag),
    "plate-slide-back-v3": Skill(sees_plate, drag),
    "plate-slide-side-v3": Skill(sees_plate, drag),
    "plate-slide-v3": Skill(sees_plate, push),
}
