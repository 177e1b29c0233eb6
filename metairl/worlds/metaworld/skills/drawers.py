"""Drawers: open, close."""

import torch
from torch import Tensor

from metairl.worlds.metaworld.shaping import distance, norm, tolerance
from metairl.worlds.metaworld.view import Now, Scene, Skill, Verdict, Was

LENGTH = 0.2  # of the way that a drawer goes


def sees_drawer(scene: Scene) -> list[Tensor]:
    handle = scene.body("drawer_link") + scene.body("drawer_link").new_tensor([0.0, -0.16, 0.0])
    return [handle, scene.body_quat("drawer_link")]


def open_drawer(now: Now, was: Was) -> Verdict:
    error = distance(now.object, was.target)
    opened = tolerance(error, 0.0, 0.02, LENGTH)
    first = was.target + torch.tensor([0.0, LENGTH, 0.0]).to(was.target)
    weights = torch.tensor([3.0, 3.0, 1.0]).to(was.target)
    near = tolerance(norm((now.object - now.hand) * weights), 0.0, 0.01, norm((first - was.tcp) * weights))
    return Verdict(5 * (near + opened), error <= 0.03)


SKILLS = {"drawer-open-v3": Skill(sees_drawer, open_drawer)}
