"""What a reward may look at: the scene as it is now, and what an episode began with."""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import torch
from torch import Tensor

from metairl.envs.engines import Engine

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


ROWS: dict[str, Callable[[mujoco.MjModel, str], int]] = {  # where in a field a named part stands
    "xpos": lambda model, name: model.body(name).id,
    "xquat": lambda model, name: model.body(name).id,
    "site_xpos": lambda model, name: model.site(name).id,
    "geom_xpos": lambda model, name: model.geom(name).id,
    "geom_xmat": lambda model, name: model.geom(name).id,
    "qpos": lambda model, name: model.joint(name).qposadr[0],
}


class Scene:
    """Parts of the scene of every lane by name, [B, …], live."""

    def __init__(self, model: mujoco.MjModel, engine: Engine):
        self.model, self.engine = model, engine
        self.parts: dict[tuple[str, str], Tensor] = {}  # views that were asked for

    def body(self, name: str) -> Tensor:
        return self._part("xpos", name)

    def site(self, name: str) -> Tensor:
        return self._part("site_xpos", name)

    def geom(self, name: str) -> Tensor:
        return self._part("geom_xpos", name)

    def joint(self, name: str) -> Tensor:
        """Of one that slides or turns, [B]."""
        return self._part("qpos", name)

    def body_quat(self, name: str) -> Tensor:
        """w, x, y, z, as MuJoCo has it."""
        return self._part("xquat", name)

    def geom_quat(self, name: str) -> Tensor:
        """x, y, z, w, as scipy has it, which the package uses for some tasks."""
        return scipy_quat(self._part("geom_xmat", name).flatten(1))

    def _part(self, field: str, name: str) -> Tensor:
        if (field, name) not in self.parts:
            self.parts[field, name] = self.engine.field(field)[:, ROWS[field](self.model, name)]
        return self.parts[field, name]

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
        """The gripper's action, [B], from −1 to 1."""
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
    """Of rotation matrices, [B, 9] by rows: x, y, z, w, of length 1 and with the largest number positive."""
    diagonal = matrix[:, ::4]
    largest = torch.cat([diagonal, diagonal.sum(1, keepdim=True)], dim=1).argmax(1)
    every = (matrix @ WAYS.to(matrix) + ONES.to(matrix)).view(-1, 4, 4)
    chosen = every[torch.arange(len(matrix), device=matrix.device), largest]
    return chosen / chosen.square().sum(1, keepdim=True).sqrt()


def _ways() -> tuple[Tensor, Tensor]:
    """Four ways to a quaternion, each good where its own number is the largest, as [9, 16] · m + [16]."""
    ways, ones = torch.zeros(3, 3, 4, 4, dtype=torch.float64), torch.zeros(4, 4, dtype=torch.float64)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        ones[i, i] = ones[3, 3] = 1
        ways[i, i, i, i], ways[j, j, i, i], ways[k, k, i, i] = 1, -1, -1  # 1 + m_ii − m_jj − m_kk
        ways[j, i, i, j] = ways[i, j, i, j] = 1  # m_ji + m_ij
        ways[k, i, i, k] = ways[i, k, i, k] = 1
        ways[k, j, i, 3], ways[j, k, i, 3] = 1, -1  # m_kj − m_jk
        ways[k, j, 3, i], ways[j, k, 3, i] = 1, -1
        ways[i, i, 3, 3] = 1  # 1 + trace
    return ways.view(9, 16), ones.view(16)


WAYS, ONES = _ways()
