"""What a reward may look at: the scene as it is now, and what an episode began with."""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import torch
from torch import Tensor

from metairl.worlds.engine import Engine

READS = ("xpos", "xquat", "site_xpos", "geom_xpos", "geom_xmat")
FEELS = "sensordata"  # read where a skill feels: a force of each pad, [3], along the normal first


@dataclass(frozen=True)
class Was:
    """How the episode of every lane began, [B, …], by the package's own names."""

    values: dict[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        """A place, [B, 3]; a number is [B]."""
        value = self.values[name]
        return value[:, 0] if value.shape[1] == 1 else value

    @property
    def target(self) -> Tensor:
        return self["_target_pos"]

    @property
    def object(self) -> Tensor:
        return self["obj_init_pos"]

    @property
    def tcp(self) -> Tensor:
        """Between the fingertips."""
        return self["init_tcp"]


class Scene:
    """Parts of the scene of every lane by name, [B, …], live."""

    def __init__(self, model: mujoco.MjModel, engine: Engine):
        self.model, self.engine = model, engine

    def body(self, name: str) -> Tensor:
        return self.engine.field("xpos")[:, self.model.body(name).id]

    def site(self, name: str) -> Tensor:
        return self.engine.field("site_xpos")[:, self.model.site(name).id]

    def geom(self, name: str) -> Tensor:
        return self.engine.field("geom_xpos")[:, self.model.geom(name).id]

    def joint(self, name: str) -> Tensor:
        """Of one that slides or turns, [B]."""
        return self.engine.field("qpos")[:, self.model.joint(name).qposadr[0]]

    def body_quat(self, name: str) -> Tensor:
        """w, x, y, z, as MuJoCo has it."""
        return self.engine.field("xquat")[:, self.model.body(name).id]

    def geom_quat(self, name: str) -> Tensor:
        """x, y, z, w, as scipy has it, which the package uses for some tasks."""
        return scipy_quat(self.engine.field("geom_xmat")[:, self.model.geom(name).id])

    @property
    def hand(self) -> Tensor:
        return self.body("hand")

    @property
    def tcp(self) -> Tensor:
        return (self.site("rightEndEffector") + self.site("leftEndEffector")) / 2.0

    @property
    def left_pad(self) -> Tensor:
        return self.body("leftpad")

    @property
    def right_pad(self) -> Tensor:
        return self.body("rightpad")

    @property
    def squeezed(self) -> Tensor:
        """Whether both pads press on the geom that the skill feels, [B] bool."""
        return (self.engine.field(FEELS)[:, ::3] > 0).all(1)


@dataclass(frozen=True)
class Now:
    """A step's end, as a reward sees it."""

    scene: Scene
    seen: Tensor  # [B, 18], the newer half of the observation
    action: Tensor  # [B, 4]

    @property
    def hand(self) -> Tensor:
        return self.seen[:, :3]

    @property
    def opened(self) -> Tensor:
        """How far the gripper is, [B], from 0 to 1."""
        return self.seen[:, 3]

    @property
    def object(self) -> Tensor:
        return self.seen[:, 4:7]

    @property
    def second(self) -> Tensor:
        """Where the second object is, of tasks with two."""
        return self.seen[:, 11:14]

    @property
    def grip(self) -> Tensor:
        """How hard the gripper is told to close, [B], from −1 to 1."""
        return self.action[:, 3]


@dataclass(frozen=True)
class Verdict:
    reward: Tensor  # [B], from 0 to 10
    success: Tensor  # [B] bool


@dataclass(frozen=True)
class Skill:
    """One of Meta-World's tasks."""

    sees: Callable[[Scene], list[Tensor]]  # each object's place and orientation
    judge: Callable[[Now, Was], Verdict]
    goal: Callable[[Scene], Tensor] | None = None  # where the target is now, of tasks whose target moves
    keeps: tuple[str, ...] = ()  # named geoms that only show, and are looked at
    feels: str = ""  # a named geom; sensors tell how hard the pads press on it


def scipy_quat(matrix: Tensor) -> Tensor:
    """Of rotation matrices, [B, 9]: the largest of four candidates, x, y, z, w, of length 1."""
    m = matrix.view(-1, 3, 3)
    diagonal = m.diagonal(dim1=1, dim2=2)
    trace = diagonal.sum(1, keepdim=True)
    choice = torch.cat([diagonal, trace], dim=1).argmax(1)
    rows = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        row = torch.empty(len(m), 4, dtype=m.dtype, device=m.device)
        row[:, i] = 1 - trace[:, 0] + 2 * m[:, i, i]
        row[:, j] = m[:, j, i] + m[:, i, j]
        row[:, k] = m[:, k, i] + m[:, i, k]
        row[:, 3] = m[:, k, j] - m[:, j, k]
        rows.append(row)
    turn = torch.stack(
        [m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1], 1 + trace[:, 0]], dim=1
    )
    chosen = torch.stack([*rows, turn], dim=1)[torch.arange(len(m), device=m.device), choice]
    return chosen / chosen.square().sum(1, keepdim=True).sqrt()
