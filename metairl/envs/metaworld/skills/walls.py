"""A wall in the way: reach past it, push a puck around it, lift one over it."""

from dataclasses import replace

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import grasp
from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.skills.pucks import (
    NEAR,
    PUCK,
    in_place,
    lifted,
    placed,
    reach,
    sees_puck,
    touches,
)
from metairl.envs.metaworld.view import Now, Skill, Verdict, Was

WALL = 0.75  # y
BESIDE = (-0.05, 0.77)  # x and y of the way around the wall
ABOVE = (0.77, 0.25)  # y and z of the way over it
LOOSE = replace(PUCK, dense="none")


def half_way(now: Now, was: Was, midpoint: Tensor, weights: tuple[float, float, float]) -> Tensor:
    scale = midpoint.new_tensor(weights)
    margin = norm((was.object - midpoint) * scale)
    return tolerance(norm((now.object - midpoint) * scale), 0.0, NEAR, margin)


def passed(now: Now, was: Was, reward: Tensor, held: Tensor, first: Tensor) -> Verdict:
    """First to the midpoint; beyond the wall, to the target."""
    away = distance(now.object, was.target)
    bonus = torch.where(now.object[:, 1] > WALL, 1 + 4 + 3 * in_place(away, was), 1 + 4 * first)
    return placed(away, reward, held, bonus)


def push_around(now: Now, was: Was) -> Verdict:
    midpoint = now.object.clone()  # at any height
    midpoint[:, :2] = midpoint.new_tensor(BESIDE)
    first = half_way(now, was, midpoint, (3.0, 1.0, 1.0))
    return passed(now, was, 2 * grasp(now, was, PUCK, now.object), touches(now), first)


def lift_over(now: Now, was: Was) -> Verdict:
    midpoint = was.target.clone()
    midpoint[:, 1:] = midpoint.new_tensor(ABOVE)
    first = half_way(now, was, midpoint, (1.0, 1.0, 3.0))
    reward = both(grasp(now, was, LOOSE, now.object), first)
    return passed(now, was, reward, touches(now) & lifted(now, was, by=0.015), first)


SKILLS = {
    "pick-place-wall-v3": Skill(sees_puck, lift_over),
    "push-wall-v3": Skill(sees_puck, push_around),
    "reach-wall-v3": Skill(sees_puck, reach),
}
