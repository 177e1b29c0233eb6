"""Physics: many simulations of one MuJoCo model, stepped together, behind one small interface.

    cpu      mujoco.batch, C++ threads, exact: what the numbers of the suite are made with
    gpu      mujoco_warp, captured graphs, 32-bit floats (extra `gpu`)
    serial   one MjData after another: the oracle of the tests

Fields are named as in MuJoCo. State is live: writing `qpos` is the simulation's state at its next step.
Derived fields are what MuJoCo's own step leaves behind, which with its Euler and Runge–Kutta integrators
belongs to the last evaluation of forces, not to the new state; Gymnasium's observations are made of them.
An engine that is asked to be `current` computes what is read once more, at the new state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, Protocol

import mujoco
import torch
from torch import Tensor

from metairl.core.errors import UsageError, nearest

Kind = Literal["cpu", "gpu", "serial"]
DIVERGED = [  # MuJoCo's own words for it
    int(getattr(mujoco.mjtWarning, f"mjWARN_BAD{what}")) for what in ("QPOS", "QVEL", "QACC")
]
FORCES = "cfrc_ext"  # contact forces on every body; MuJoCo computes them only when asked


@dataclass(frozen=True)
class Use:
    """What a world wants of an engine."""

    reads: tuple[str, ...]  # derived fields that will be asked for
    current: bool = False  # they are to describe the new state
    alone: bool = True  # no other engine works at the same time: it may have all cores


class Engine(Protocol):
    lanes: int
    diverged: Tensor  # [B] bool: the last step diverged; what the lane holds now is finite but means nothing

    def field(self, name: str) -> Tensor:
        """[B, …], live: qpos, qvel and ctrl may be written, derived fields are refreshed by every call."""
        ...

    def scale(self, name: str, factor: Tensor, lanes: Tensor | None = None) -> None:
        """A field of the model becomes its own times a factor, [chosen, …], in some lanes, [B] bool, or all.

        Constants that follow from it follow. A lane that is scaled again forgets the first factor.
        """
        ...

    def assign(self, name: str, values: Tensor, lanes: Tensor | None = None) -> None:
        """A field of the model becomes these values, [chosen, …]. Constants that follow from it stay."""
        ...

    def put(self, lanes: Tensor, start: Mapping[str, Tensor]) -> None:
        """Begin anew in some lanes, [B] bool: `qpos`, `qvel` and whatever else a state has, a row a lane.

        Contact forces are zero until the first step, as Gymnasium's are.
        """
        ...

    def step(self, substeps: int) -> None: ...

    def save(self) -> Tensor:
        """Everything that the future depends on, [B, …]."""
        ...

    def load(self, state: Tensor) -> None: ...


def make(
    model: mujoco.MjModel,
    lanes: int,
    reads: tuple[str, ...],
    kind: Kind,
    current: bool = False,
    alone: bool = True,
) -> Engine:
    module = import_module(f"metairl.envs.engines.{kind}")
    engine: Engine = getattr(module, kind.capitalize())(model, lanes, Use(reads, current, alone))
    return engine


def choose(asked: str) -> Kind:
    """What `auto` means on this machine, and whether what was asked for can be had."""
    here = find_spec("mujoco_warp") is not None
    match asked:
        case "auto":
            return "gpu" if here and torch.cuda.is_available() else "cpu"
        case "gpu" if not here:
            raise UsageError("the gpu engine needs more packages: pip install 'metairl[gpu]'")
        case "cpu" | "gpu" | "serial":
            return asked
        case _:
            raise UsageError(f"no engine '{asked}'; {nearest(asked, ('auto', 'cpu', 'gpu'))}")
