"""A nut with a handle: onto its peg and off."""

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip
from metairl.envs.metaworld.shaping import norm, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was
from metairl.envs.metaworld.wielding import TABLE, Tool, way_of, way_to, wield

HANDLE, FLAT = 0.02, (0.707, 0.0, 0.0, 0.707)
TO_HANG = Tool(HANDLE, FLAT, Grip(radius=0.015, pad=0.02, xz=0.01, dense="reach"))
TO_LIFT = Tool(HANDLE, FLAT, Grip(radius=0.015, pad=0.02, xz=0.01))
NARROW = 0.01  # a nut so near the peg's axis may sink; twice as far once it hangs


def sees_nut(scene: Scene) -> list[Tensor]:
    return [scene.site("RoundNut-8"), scene.body_quat("RoundNut")]


def assemble(now: Now, was: Was) -> Verdict:
    """Toward a funnel around the peg's top, as high as the nut should be at its distance from the axis."""
    nut = now.scene.site("RoundNut")
    error = was.target - nut
    away = norm(error[:, :2])
    hangs = (away < 0.02) & (error[:, 2] > 0)
    narrow = NARROW + NARROW * hangs.to(away)
    height = torch.where(away > narrow, 0.02 * torch.log(away - narrow) + 0.2, 0.0)
    short = torch.cat([error[:, :2], 3 * (height - nut[:, 2])[:, None]], dim=1)
    lifted = (nut[:, 2] > TABLE) | (away < narrow)
    reward = wield(now, was, TO_HANG, way_of(lifted, tolerance(norm(short), 0.0, 0.02, 0.4)))
    return Verdict(torch.where(hangs, 10.0, reward), hangs)


def disassemble(now: Now, was: Was) -> Verdict:
    above = was.target + was.target.new_tensor([0.0, 0.0, 0.1])
    reward = wield(now, was, TO_LIFT, way_to(above, now.scene.site("RoundNut")))
    off = now.object[:, 2] > was.target[:, 2]
    return Verdict(torch.where(off, 10.0, reward), off)


SKILLS = {"assembly-v3": Skill(sees_nut, assemble), "disassemble-v3": Skill(sees_nut, disassemble)}
