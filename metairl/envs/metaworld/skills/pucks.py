"""A puck on the table: reach past it, push it, pick it up and place it."""

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp, pinch, squeeze
from metairl.envs.metaworld.shaping import both, distance, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

NEAR = 0.05
PUCK = Grip(radius=0.015, pad=0.05, xz=0.005)
DRAGGED = Grip(radius=0.007, pad=0.05, xz=0.01)
SLACK = 0.003  # of fingers that drag a puck


def sees_puck(scene: Scene) -> list[Tensor]:
    return [scene.body("obj"), scene.geom_quat("objGeom")]


def in_place(away: Tensor, was: Was) -> Tensor:
    return tolerance(away, 0.0, NEAR, distance(was.object, was.target))


def touches(now: Now, within: float = 0.02) -> Tensor:
    """The fingertips, not shut, around the object: [B] bool."""
    return (distance(now.object, now.scene.tcp) < within) & (now.opened > 0)


def lifted(now: Now, was: Was, by: float) -> Tensor:
    return now.object[:, 2] - by > was.object[:, 2]


def placed(away: Tensor, reward: Tensor, held: Tensor, bonus: Tensor, within: float = 0.07) -> Verdict:
    """A bonus while held, and 10 where it belongs."""
    reward = torch.where(held, reward + bonus, reward)
    return Verdict(torch.where(away < NEAR, 10.0, reward), away <= within)


def reach(now: Now, was: Was) -> Verdict:
    away = distance(now.scene.tcp, was.target)
    near = tolerance(away, 0.0, NEAR, distance(was["hand_init_pos"], was.target))
    return Verdict(10 * near, away <= NEAR)


def push(now: Now, was: Was) -> Verdict:
    away = distance(now.object, was.target)
    reward = 2 * grasp(now, was, PUCK, now.object)
    return placed(away, reward, touches(now), 1 + reward + 5 * in_place(away, was), within=NEAR)


def push_back(now: Now, was: Was) -> Verdict:
    away = distance(now.object, was.target)
    there = in_place(away, was)
    reward = both(squeeze(now, was, DRAGGED, SLACK, now.object), there)
    moved = distance(was.object, was.target) - away > 0.01
    return placed(away, reward, touches(now, within=0.01) & (now.opened < 0.55) & moved, 1 + 5 * there)


def pick_place(now: Now, was: Was) -> Verdict:
    away = distance(now.object, was.target)
    there = in_place(away, was)
    reward = both(pinch(now, was, PUCK, now.object), there)
    return placed(away, reward, touches(now) & lifted(now, was, by=0.01), 1 + 5 * there)


SKILLS = {
    "pick-place-v3": Skill(sees_puck, pick_place),
    "push-back-v3": Skill(sees_puck, push_back),
    "push-v3": Skill(sees_puck, push),
    "reach-v3": Skill(sees_puck, reach),
}
