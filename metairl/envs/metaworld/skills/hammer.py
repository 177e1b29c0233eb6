"""A nail and a hammer."""

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was
from metairl.envs.metaworld.wielding import Tool, way_to, wield

HAMMER = Tool(0.14, (1.0, 0.0, 0.0, 0.0), Grip(radius=0.015, pad=0.02, xz=0.01))
HEAD = [0.16, 0.06, 0.0]  # from the handle's middle to the striking face


def sees_hammer(scene: Scene) -> list[Tensor]:
    return [place(name) for name in ("hammer", "nail_link") for place in (scene.body, scene.body_quat)]


def strike(now: Now, was: Was) -> Verdict:
    head = now.object + now.object.new_tensor(HEAD)
    reward = wield(now, was, HAMMER, way_to(was.target, head))
    driven = now.scene.joint("NailSlideJoint") > 0.09
    return Verdict(torch.where(driven & (reward > 5), 10.0, reward), driven)


SKILLS = {"hammer-v3": Skill(sees_hammer, strike)}
