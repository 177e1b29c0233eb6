"""A stick that pushes and pulls a thermos."""

from functools import partial

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp
from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

TO_PUSH = Grip(radius=0.04, pad=0.05, xz=0.01)
TO_PULL = Grip(radius=0.014, pad=0.05, xz=0.01)
NEAR = 0.12  # of the target, for a success


def sees_stick(scene: Scene, beside: float) -> list[Tensor]:
    """The thermos is seen so far, along y, from where its handle is open."""
    handle = scene.site("insertion")
    thermos = handle + handle.new_tensor([0.0, beside, 0.0])
    nothing = torch.zeros_like(scene.body_quat("object"))
    return [scene.body("stick"), scene.geom_quat("objGeom"), thermos, nothing]


def push(now: Now, was: Was) -> Verdict:
    stick = now.object + now.object.new_tensor([0.015, 0.0, 0.0])
    stick_began, away = was["stick_init_pos"], distance(now.second, was.target)
    margin = distance(stick_began, was.target) - NEAR
    stick_in_place = tolerance(distance(stick, was.target), 0.0, NEAR, margin)
    thermos_in_place = tolerance(away, 0.0, NEAR, distance(was.object, was.target) - NEAR)
    lifted = (now.opened > 0) & (stick[:, 2] - 0.01 > stick_began[:, 2])
    held = (distance(stick, now.scene.tcp) < 0.02) & lifted
    pushes = torch.where(away <= NEAR, 10.0, 2 + 5 * stick_in_place + 3 * thermos_in_place)
    reward = torch.where(held, pushes, grasp(now, was, TO_PUSH, stick, stick_began))
    return Verdict(reward, (away <= NEAR) & lifted & now.scene.squeezed)


def pull(now: Now, was: Was) -> Verdict:
    """The grasp's margins are of where the thermos was, not the stick: so the package has it."""
    stick, handle, stick_began = now.object, now.second, was["stick_init_pos"]
    body = handle.new_tensor([0.05, 0.0, 0.0])  # of the thermos, from its handle
    weights = handle.new_tensor([1.0, 1.0, 2.0])
    apart, began_apart = (stick - (handle + body)) * weights, (stick_began - (was.object + body)) * weights
    hooking = tolerance(norm(apart), 0.0, 0.05, norm(began_apart))
    stick_in_place, thermos_in_place = (
        tolerance(distance(place, was.target), 0.0, 0.05, distance(began, was.target))
        for place, began in ((stick, stick_began), (handle + body, was.object))
    )
    lifted = (now.opened > 0) & (stick[:, 2] - 0.01 > stick_began[:, 2])
    held = (distance(stick, now.scene.tcp) < 0.02) & lifted
    reward = both(torch.where(held, 1.0, grasp(now, was, TO_PULL, stick)), hooking)
    hooked, near = inside(handle, now.scene.site("stick_end")), distance(handle, was.target) <= NEAR
    pulls = torch.where(near, 10.0, 1 + reward + 5 + 2 * stick_in_place + thermos_in_place)
    reward = torch.where(held, torch.where(hooked, pulls, 1 + reward + 5 * hooking), reward)
    return Verdict(reward, near & hooked)


def inside(handle: Tensor, tip: Tensor) -> Tensor:
    """Whether the stick's tip is through the handle."""
    apart = tip - handle
    return (apart[:, 0] >= 0) & (apart[:, 1].abs() <= 0.04) & (apart[:, 2].abs() <= 0.06)


SKILLS = {
    "stick-pull-v3": Skill(partial(sees_stick, beside=0.0), pull),
    "stick-push-v3": Skill(partial(sees_stick, beside=0.09), push, feels="objGeom"),
}
