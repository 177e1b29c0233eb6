"""Doors: open, close, lock, unlock."""

import math
from functools import partial

import torch
from torch import Tensor

from metairl.envs.metaworld.shaping import both, distance, gaussian_tolerance, norm, tolerance
from metairl.envs.metaworld.shoulder import shoulder_near
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

AJAR = math.pi / 90
OPEN = math.pi / 2 + math.pi / 6
FUNNEL = 0.12  # its radius around the handle, within which the hand may be at any height
SHUT = 0.05  # from the target
LOCK = 0.1  # the length of the way that a lock goes
LOCK_WEIGHTS = (0.25, 1.0, 0.5)


def sees_door(scene: Scene) -> list[Tensor]:
    return [scene.geom("handle"), scene.geom_quat("handle")]


def sees_lock(scene: Scene, site: str) -> list[Tensor]:
    return [scene.site(site), scene.body_quat("door_link")]


def open_door(now: Now, was: Was) -> Verdict:
    angle = -now.scene.joint("doorjoint")
    grab = (now.grip.clamp(-1, 1) + 1) / 2
    opened = 0.2 * (angle > AJAR) + 0.8 * tolerance(OPEN - angle, 0.0, 0.5, math.pi / 3)
    reward = 2 * both(_ready_to_open(now), grab) + 8 * opened
    success = (now.object[:, 0] - was.target[:, 0]).abs() <= 0.08
    return Verdict(torch.where(success, 10.0, reward), success)


def _ready_to_open(now: Now) -> Tensor:
    """Between handle and door, and come from above a funnel around the handle."""
    door = now.object + now.object.new_tensor([-0.05, 0.0, 0.0])
    radius, height = distance(now.hand[:, :2], door[:, :2]), now.hand[:, 2]
    floor = torch.where(radius <= FUNNEL, 0.0, 0.04 * (radius - FUNNEL).log() + 0.4)
    above = torch.where(height >= floor, 1.0, tolerance(floor - height, 0.0, 0.01, floor / 2))
    behind = door + door.new_tensor([0.05, 0.03, -0.01])
    return both(above, tolerance(distance(now.hand, behind), 0.0, FUNNEL / 2, 0.5))


def close_door(now: Now, was: Was) -> Verdict:
    error = distance(now.object, was.target)
    closed = gaussian_tolerance(error, 0.0, SHUT, distance(was.object, was.target))
    margin = distance(was["hand_init_pos"], now.object) + 0.1
    near = gaussian_tolerance(distance(now.scene.tcp, was.target), 0.0, 0.25 * SHUT, margin)
    return Verdict(torch.where(error < SHUT, 10.0, 3 * near + 6 * closed), error <= 0.08)


def lock_door(now: Now, was: Was) -> Verdict:
    """The margin is how far the finger is, not how far it was: a live view in the package."""
    away = norm((now.object - now.scene.left_pad) * now.object.new_tensor(LOCK_WEIGHTS))
    near = tolerance(away, 0.0, 0.01, away)
    error = (was.target[:, 2] - now.object[:, 2]).abs()
    return Verdict(2 * both(now.opened, near) + 8 * _lock_moved(error), error <= 0.02)


def unlock_door(now: Now, was: Was) -> Verdict:
    """The lock began where it is now: a live view in the package."""
    ready = shoulder_near(now, was, now.scene.body("lock_link"), LOCK_WEIGHTS)
    error = (was.target[:, 0] - now.object[:, 0]).abs()
    return Verdict(2 * ready + 8 * _lock_moved(error), error <= 0.02)


def _lock_moved(error: Tensor) -> Tensor:
    return tolerance(error, 0.0, 0.005, LOCK)


SKILLS = {
    "door-close-v3": Skill(sees_door, close_door, keeps=("handle",)),
    "door-lock-v3": Skill(partial(sees_lock, site="lockStartLock"), lock_door),
    "door-open-v3": Skill(sees_door, open_door, keeps=("handle",)),
    "door-unlock-v3": Skill(partial(sees_lock, site="lockStartUnlock"), unlock_door),
}
