"""A mug, pushed under a coffee machine and pulled away."""

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp
from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

NEAR = 0.05
WEIGHTS = (2.0, 2.0, 1.0)  # of x, y, z in how far the mug is from its place
MUG = Grip(radius=0.02, pad=0.05, xz=0.05, reach=0.04, effort=0.7, dense="reach")


def sees_mug(scene: Scene) -> list[Tensor]:
    return [scene.body("obj"), scene.geom_quat("mug")]


def move_mug(now: Now, was: Was) -> Verdict:
    mug, target = now.object, was.target
    weights = target.new_tensor(WEIGHTS)
    away = norm((mug - target) * weights)
    in_place = tolerance(away, 0.0, NEAR, norm((was.object - target) * weights))
    reward = both(grasp(now, was, MUG, mug), in_place)
    held = (distance(mug, now.scene.tcp) < 0.04) & (now.opened > 0)
    reward = torch.where(held, reward + 1 + 5 * in_place, reward)
    return Verdict(torch.where(away < NEAR, 10.0, reward), distance(mug, target) <= 0.07)


MOVE = Skill(sees_mug, move_mug, keeps=("mug",))

SKILLS = {"coffee-pull-v3": MOVE, "coffee-push-v3": MOVE}
