"""What turns: faucets, a dial, a lever."""

import math
from functools import partial

import torch
from torch import Tensor

from metairl.envs.metaworld.shaping import both, distance, gaussian_tolerance, progress, tolerance
from metairl.envs.metaworld.shoulder import shoulder_near
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

TURNED = 0.07  # from the target: a faucet's handle, a dial's mark
DIAL = 0.05  # its radius
LEVER_WEIGHTS = (4.0, 1.0, 4.0)


def sees_faucet(scene: Scene, site: str) -> list[Tensor]:
    handle = scene.site(site)
    return [handle + handle.new_tensor([0.0, 0.0, -0.01]), scene.body_quat("faucetBase")]


def sees_dial(scene: Scene) -> list[Tensor]:
    angle = scene.joint("knob_Joint_1")
    mark = torch.stack([angle.sin(), -angle.cos(), torch.zeros_like(angle)], dim=1)
    return [scene.body("dial") + DIAL * mark, scene.body_quat("dial")]


def sees_lever(scene: Scene) -> list[Tensor]:
    return [scene.site("leverStart"), scene.geom_quat("objGeom")]


def open_faucet(now: Now, was: Was) -> Verdict:
    return _turn_faucet(now, was, now.object + now.object.new_tensor([-0.04, 0.0, 0.03]))


def close_faucet(now: Now, was: Was) -> Verdict:
    return _turn_faucet(now, was, now.object)


def _turn_faucet(now: Now, was: Was, handle: Tensor) -> Verdict:
    error = distance(handle, was.target)
    turned = progress(error, distance(was.object, was.target), TURNED)
    away, at_first = distance(handle, now.scene.tcp), distance(was.object, was.tcp)
    near = progress(away, at_first, 0.01, gaussian_tolerance)
    success = error <= TURNED
    return Verdict(torch.where(success, 10.0, 2 * (2 * near + 3 * turned)), success)


def turn_dial(now: Now, was: Was) -> Verdict:
    error, pushed_at_first = distance(now.object, was.target), was["dial_push_position"]
    turned = progress(error, distance(pushed_at_first, was.target), TURNED)
    pushed = now.object + now.object.new_tensor([0.05, 0.02, 0.09])
    away, at_first = distance(pushed, now.scene.tcp), distance(pushed_at_first, was.tcp)
    near = both(progress(away, at_first, 0.005, gaussian_tolerance), now.grip.clamp(0, 1))
    return Verdict(10 * both(near, turned), error <= TURNED)


def pull_lever(now: Now, was: Was) -> Verdict:
    """Success depends on the lever's angle, reward on the position of its end."""
    began = was["_lever_pos_init"]
    ready = shoulder_near(now, was, began, LEVER_WEIGHTS)
    from_upright = (-now.scene.joint("LeverAxis") - math.pi / 2).abs()
    up = tolerance(distance(now.object, was.target), 0.0, 0.04, distance(began, was.target))
    return Verdict(10 * both(ready, up), from_upright <= math.pi / 24)


SKILLS = {
    "dial-turn-v3": Skill(sees_dial, turn_dial),
    "faucet-close-v3": Skill(partial(sees_faucet, site="handleStartClose"), close_faucet),
    "faucet-open-v3": Skill(partial(sees_faucet, site="handleStartOpen"), open_faucet),
    "lever-pull-v3": Skill(sees_lever, pull_lever, keeps=("objGeom",)),
}
