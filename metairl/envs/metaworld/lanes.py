"""Lanes of one skill: its scene, its rewards, and the 18 numbers that are seen of it.

    mocap ← clip(mocap + a_xyz / 100),  gripper ← (a_grip, −a_grip),  then five steps of physics
    seen = hand, opening, then 14 numbers of the objects: place and orientation of each, the rest zero

The hand follows its mocap by a weld. What is rewarded is what is seen, which is clipped to the hand's space.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from metairl.envs import engines
from metairl.envs.metaworld import arena, official, starts
from metairl.envs.metaworld.skills import SKILLS
from metairl.envs.metaworld.view import FEELS, READS, Now, Scene, Verdict, Was

SUBSTEPS = 5
STRIDE = 0.01  # of the hand in a step, in metres
WIDEST = 0.1  # opening of the gripper
SEEN = 18
HAND = ((-0.525, 0.348, -0.0525), (0.525, 1.025, 0.7))  # what is seen of it stays in here


class Lanes:
    def __init__(self, name: str, goals: Tensor, engine: engines.Kind, alone: bool):
        self.skill, self.count = SKILLS[name], len(goals)
        self.model = arena.compiled(name, self.skill.keeps, self.skill.feels)
        reads = (*READS, FEELS) if self.skill.feels else READS
        self.engine = engines.make(self.model, self.count, reads, engine, current=True, alone=alone)
        self.scene = Scene(self.model, self.engine)
        like = self.engine.field("qpos")
        begun = {key: rows.to(like) for key, rows in starts.of(name, goals).items()}
        self.space = torch.tensor(HAND).to(like)
        shape = {
            "mocap_pos": (-1, 1, 3),
            "mocap_quat": (-1, 1, 4),
            "body_pos": (-1, self.model.nbody, 3),
            "site_pos": (-1, self.model.nsite, 3),
        }
        self.start = {
            field: begun[field].view(shape.get(field, (self.count, -1))) for field in official.STATE
        }
        for field in official.FIXTURES:
            self.engine.assign(field, begun[field].view(shape[field]))
        self.target, self.first = begun["target"], begun["seen"]
        self.goal_space = begun["goal_low"], begun["goal_high"]
        remembered = (key for key in begun if key.startswith("was."))
        self.was = Was({key.removeprefix("was."): begun[key] for key in remembered})
        self.mocap = self.engine.field("mocap_pos")[:, 0]
        self.low, self.high = self.was["mocap_low"], self.was["mocap_high"]
        self.action = torch.zeros(self.count, 4, device=like.device)

    def begin(self, lanes: Tensor) -> None:
        self.engine.put(lanes, {field: rows[lanes] for field, rows in self.start.items()})

    def control(self, action: Tensor) -> None:
        self.action = action = action.to(self.mocap.device)
        moved = self.mocap + STRIDE * action[:, :3].clamp(-1, 1)  # in 32 bits until here, as the package's
        self.mocap.copy_(torch.minimum(torch.maximum(moved, self.low), self.high))
        grip = action[:, 3:].to(self.mocap)
        self.engine.field("ctrl").copy_(torch.cat([grip, -grip], dim=1))

    def move(self) -> None:
        self.engine.step(SUBSTEPS)

    def see(self) -> Tensor:
        """[B, 18], without the goal."""
        scene = self.scene
        apart = (scene.body("rightclaw") - scene.body("leftclaw")).square().sum(1, keepdim=True).sqrt()
        hand = torch.minimum(torch.maximum(scene.hand, self.space[0]), self.space[1])
        seen = torch.cat([hand, (apart / WIDEST).clamp(0, 1), *self.skill.sees(scene)], dim=1)
        return pad(seen, (0, SEEN - seen.shape[1]))

    def goal(self) -> Tensor:
        """[B, 3], the goal, where it is observed."""
        where = self.skill.goal(self.scene) if self.skill.goal else self.was.target
        low, high = self.goal_space
        return torch.minimum(torch.maximum(where, low), high)

    def judge(self, seen: Tensor) -> Verdict:
        return self.skill.judge(Now(self.scene, seen, self.action), self.was)
