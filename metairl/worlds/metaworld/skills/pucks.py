"""A puck on the table: reach past it, push it, pick it up and place it."""

import torch
from torch import Tensor

from metairl.worlds.metaworld.grasping import Grip, pinch
from metairl.worlds.metaworld.shaping import both, distance, tolerance
from metairl.worlds.metaworld.view import Now, Scene, Skill, Verdict, Was

NEAR = 0.05
PUCK = Grip(radius=0.015, pad=0.05, xz=0.005)


def sees_puck(scene: Scene) -> list[Tensor]:
    return [scene.body("obj"), scene.geom_quat("objGeom")]


def reach(now: Now, was: Was) -> Verdict:
    away = distance(now.scene.tcp, was.target)
    near = tolerance(away, 0.0, NEAR, distance(was["hand_init_pos"], was.target))
    return Verdict(10 * near, away <= NEAR)


def pick_place(now: Now, was: Was) -> Verdict:
    puck = now.object
    away = distance(puck, was.target)
    in_place = tolerance(away, 0.0, NEAR, distance(was.object, was.target))
    reward = both(pinch(now, was, PUCK, puck), in_place)
    lifted = puck[:, 2] - 0.01 > was.object[:, 2]
    held = (distance(puck, now.scene.tcp) < 0.02) & (now.opened > 0) & lifted
    reward = torch.where(held, reward + 1 + 5 * in_place, reward)
    return Verdict(torch.where(away < NEAR, 10.0, reward), away <= 0.07)


SKILLS = {"pick-place-v3": Skill(sees_puck, pick_place), "reach-v3": Skill(sees_puck, reach)}
