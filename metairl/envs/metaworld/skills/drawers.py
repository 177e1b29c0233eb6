"""Drawers: open, close."""

import torch
from torch import Tensor

from metairl.envs.metaworld.shaping import both, distance, gaussian_tolerance, norm, progress, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

LENGTH = 0.2  # of the way that a drawer goes
CLOSED = 0.05  # from the target; the 0.04 of the package's class is never read
SUCCESS = 0.065


def sees_drawer(scene: Scene) -> list[Tensor]:
    return [_handle(scene, 0.0), scene.body_quat("drawer_link")]


def sees_unturned_drawer(scene: Scene) -> list[Tensor]:
    handle = _handle(scene, 0.05)
    return [handle, handle.new_zeros(len(handle), 4)]


def _handle(scene: Scene, height: float) -> Tensor:
    drawer = scene.body("drawer_link")
    return drawer + drawer.new_tensor([0.0, -0.16, height])


def close_drawer(now: Now, was: Was) -> Verdict:
    error = distance(now.object, was.target)
    closed = progress(error, distance(was.object, was.target), CLOSED)
    away, at_first = distance(now.object, now.scene.tcp), distance(was.object, was.tcp)
    near = both(progress(away, at_first, 0.005, gaussian_tolerance), now.grip.clamp(0, 1))
    success = error <= SUCCESS
    return Verdict(10 * torch.where(success, 1.0, both(near, closed)), success)


def open_drawer(now: Now, was: Was) -> Verdict:
    error = distance(now.object, was.target)
    opened = tolerance(error, 0.0, 0.02, LENGTH)
    first = was.target + was.target.new_tensor([0.0, LENGTH, 0.0])
    weights = was.target.new_tensor([3.0, 3.0, 1.0])
    near = tolerance(norm((now.object - now.hand) * weights), 0.0, 0.01, norm((first - was.tcp) * weights))
    return Verdict(5 * (near + opened), error <= 0.03)


SKILLS = {
    "drawer-close-v3": Skill(sees_unturned_drawer, close_drawer),
    "drawer-open-v3": Skill(sees_drawer, open_drawer),
}
