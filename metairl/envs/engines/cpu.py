"""MuJoCo on all cores: `mujoco.batch`, one state row a lane, views of it as tensors, nothing copied."""

import warnings
from collections.abc import Mapping

import mujoco
import numpy as np
import torch
from mujoco.batch import MODEL_FIELDS, Batch
from torch import Tensor

from metairl.envs.engines import DIVERGED, FORCES, Use
from metairl.envs.engines.runge_kutta import RungeKutta

EVERYTHING = int(mujoco.mjtStage.mjSTAGE_ACC)
NOTHING, POSITIONS = int(mujoco.mjtStage.mjSTAGE_NONE), int(mujoco.mjtStage.mjSTAGE_POS)
STAGES = {  # what has to be computed, in a state just put there, before a field can be read
    **dict.fromkeys(("xpos", "xquat", "xipos", "site_xpos", "geom_xpos", "geom_xmat"), POSITIONS),
    FORCES: NOTHING,  # zero there, see `put`
}
mujoco.set_mju_user_warning(lambda message: None)  # lanes that diverge are marked; MuJoCo would write a log


class Cpu:
    def __init__(self, model: mujoco.MjModel, lanes: int, use: Use):
        self.lanes = lanes
        self.diverged = self.none = torch.zeros(lanes, dtype=torch.bool)
        self.batch = Batch(model, lanes, torch.get_num_threads() if use.alone else 1)
        self.fresh = self.batch.state[0].copy()
        derived = [name for name in use.reads if name not in MODEL_FIELDS]
        self.stage = max((STAGES.get(name, EVERYTHING) for name in derived), default=NOTHING)
        self.after = self.stage if use.current else NOTHING
        self.fields = {name: self._view(name) for name in {"qpos", "qvel", "ctrl", *use.reads}}
        self.forces = None
        if FORCES in use.reads:  # kept apart: what a call does not compute may be another lane's
            self.forces, self.fields[FORCES] = self.fields[FORCES], torch.zeros_like(self.fields[FORCES])
        by_evaluations = FORCES in use.reads and model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
        self.last_substep = RungeKutta(self.batch) if by_evaluations else None

    def field(self, name: str) -> Tensor:
        if name not in self.fields:
            self.fields[name] = self._view(name)
        return self.fields[name]

    def scale(self, name: str, factor: Tensor, lanes: Tensor | None = None) -> None:
        chosen = np.ones(self.lanes, dtype=bool) if lanes is None else lanes.numpy()
        self.batch.expand(name)[chosen] = getattr(self.batch.model, name) * factor.numpy()
        self.batch.set_const(chosen)

    def assign(self, name: str, values: Tensor, lanes: Tensor | None = None) -> None:
        chosen = np.ones(self.lanes, dtype=bool) if lanes is None else lanes.numpy()
        self.batch.expand(name)[chosen] = values.numpy()

    def put(self, lanes: Tensor, start: Mapping[str, Tensor]) -> None:
        chosen = lanes.numpy()
        self.batch.state[chosen] = self.fresh
        for name, rows in start.items():
            self.field(name)[lanes] = rows.double()
        if self.stage:
            self.batch.forward(chosen, stage=self.stage)
        if self.forces is not None:
            self.fields[FORCES][lanes] = 0.0

    def step(self, substeps: int) -> None:
        self.diverged = self.none
        if self.last_substep is None:
            self.batch.step(nstep=substeps, stage=self.after)
        else:
            if substeps > 1:
                self.batch.step(nstep=substeps - 1)
            self.last_substep.take()
            self.diverged = torch.from_numpy(~np.isfinite(self.batch.state).all(1))
        if self.batch.warning.any():  # MuJoCo itself restarts a lane that diverges in one of its own steps
            self.diverged = self.diverged | torch.from_numpy(self.batch.warning[:, DIVERGED, 1].any(1))
            self.batch.warning[:] = 0
        if self.forces is not None:
            self.fields[FORCES].copy_(self.forces)

    def save(self) -> Tensor:
        return torch.from_numpy(self.batch.state.copy())

    def load(self, state: Tensor) -> None:
        self.batch.state[:] = state.numpy()

    def _view(self, name: str) -> Tensor:
        array = self.batch.expand(name) if name in MODEL_FIELDS else self.batch.bind(name)
        with warnings.catch_warnings():  # torch warns that outputs must not be written to; nobody does
            warnings.simplefilter("ignore", UserWarning)
            return torch.from_numpy(array)
