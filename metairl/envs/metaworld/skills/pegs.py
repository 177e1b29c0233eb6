"""Pegs: into a box, out of it."""

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp
from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

PEG = Grip(radius=0.0075, pad=0.03, xz=0.005)
PLUG = Grip(radius=0.025, pad=0.05, xz=0.005, effort=0.8)
DONE = 0.07  # of the target, for a success
ACROSS = [1.0, 2.0, 2.0]  # a miss across the hole counts twice


def sees_peg(scene: Scene) -> list[Tensor]:
    return [scene.site("pegGrasp"), scipy_signs(scene.body_quat("peg"))]


def sees_plug(scene: Scene) -> list[Tensor]:
    return [scene.site("pegEnd"), scene.body_quat("plug1")]


def scipy_signs(quat: Tensor) -> Tensor:
    """x, y, z, w of MuJoCo's w, x, y, z, with the sign that scipy gives it: the largest is positive."""
    quat = quat.roll(-1, dims=1)
    return quat * quat.gather(1, quat.abs().argmax(1, keepdim=True)).sign()


def insert(now: Now, was: Was) -> Verdict:
    peg, head = now.object, now.scene.site("pegHead")
    weights = was.target.new_tensor(ACROSS)
    away = norm((head - was.target) * weights)
    began = norm((was["peg_head_pos_init"] - was.target) * weights)
    clear = both(clearance(now.scene, head, box=2), clearance(now.scene, head, box=1))
    in_place = both(tolerance(away, 0.0, DONE, began), clear)
    lifted = peg[:, 2] - 0.01 > was.object[:, 2]
    held = (distance(peg, now.scene.tcp) < 0.08) & (now.opened > 0) & lifted
    reward = both(torch.where(held, 1.0, grasp(now, was, PEG, peg)), in_place)
    reward = torch.where(held, reward + 1 + 5 * in_place, reward)
    there = away <= DONE
    return Verdict(torch.where(there, 10.0, reward), there)


def clearance(scene: Scene, place: Tensor, box: int) -> Tensor:
    """1 outside of a box near the hole; inside, from 0 at one corner to 1 at the opposite."""
    zero = scene.site(f"bottom_right_corner_collision_box_{box}")
    one = scene.site(f"top_left_corner_collision_box_{box}")
    share = (place - zero) / (one - zero)
    inside = ((share >= 0) & (share <= 1)).all(1)
    return torch.where(inside, share.prod(1), 1.0)


def unplug(now: Now, was: Was) -> Verdict:
    plug = now.object
    away = distance(plug, was.target)
    hold = grasp(now, was, PLUG, plug)
    in_place = tolerance(away, 0.0, 0.05, distance(was.object, was.target))
    loose = (now.opened > 0.5) & (plug[:, 0] - was.object[:, 0] > 0.015)
    held = loose & (distance(plug, now.scene.tcp) < 0.035)
    reward = torch.where(held, 1 + 2 * hold + 5 * in_place, 2 * hold)
    return Verdict(torch.where(away <= 0.05, 10.0, reward), away <= DONE)


SKILLS = {
    "peg-insert-side-v3": Skill(sees_peg, insert),
    "peg-unplug-side-v3": Skill(sees_plug, unplug),
}
