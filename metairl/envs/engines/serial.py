"""One simulation after another, as Gymnasium steps them: slow, obvious, the other engines' oracle."""

import copy
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
import torch
from mujoco.batch import MODEL_FIELDS
from numpy.typing import NDArray
from torch import Tensor

from metairl.envs.engines import DIVERGED, Use

EVERYTHING = int(mujoco.mjtState.mjSTATE_INTEGRATION)
STATE = ("qpos", "qvel", "ctrl", "mocap_pos", "mocap_quat", "qacc_warmstart")


class Serial:
    def __init__(self, model: mujoco.MjModel, lanes: int, use: Use):
        self.lanes, self.current = lanes, use.current
        self.diverged = torch.zeros(lanes, dtype=torch.bool)
        self.model = model
        self.models = [copy.copy(model) for _ in range(lanes)]
        self.data = [mujoco.MjData(model) for model in self.models]
        self.fields = {name: self._stacked(name) for name in (*STATE, *use.reads)}

    def field(self, name: str) -> Tensor:
        return self.fields[name]

    def scale(self, name: str, factor: Tensor, lanes: Tensor | None = None) -> None:
        chosen = range(self.lanes) if lanes is None else lanes.nonzero().flatten().tolist()
        for i, by in zip(chosen, factor.numpy(), strict=True):
            getattr(self.models[i], name)[:] = getattr(self.model, name) * by
            mujoco.mj_setConst(self.models[i], self.data[i])
        self.fields.update({name: self._stacked(name) for name in self.fields if name in MODEL_FIELDS})

    def assign(self, name: str, values: Tensor, lanes: Tensor | None = None) -> None:
        chosen = range(self.lanes) if lanes is None else lanes.nonzero().flatten().tolist()
        for i, row in zip(chosen, values.numpy(), strict=True):
            getattr(self.models[i], name)[:] = row
        if name in self.fields:
            self.fields[name] = self._stacked(name)

    def put(self, lanes: Tensor, start: Mapping[str, Tensor]) -> None:
        chosen = lanes.nonzero().flatten().tolist()
        for i in chosen:
            mujoco.mj_resetData(self.models[i], self.data[i])
            self._read(i)
        for name, rows in start.items():
            self.fields[name][lanes] = rows.double()
        for i in chosen:
            self._write(i)
            mujoco.mj_forward(self.models[i], self.data[i])
            self._read(i)

    def step(self, substeps: int) -> None:
        for i, (model, data) in enumerate(zip(self.models, self.data, strict=True)):
            self._write(i)
            for kind in DIVERGED:
                data.warning[kind].number = 0
            mujoco.mj_step(model, data, nstep=substeps)
            mujoco.mj_rnePostConstraint(model, data)
            if self.current:
                mujoco.mj_forward(model, data)
            self._read(i)
            self.diverged[i] = any(data.warning[kind].number for kind in DIVERGED)

    def save(self) -> Tensor:
        state = np.empty((self.lanes, mujoco.mj_stateSize(self.models[0], EVERYTHING)))
        for model, data, row in zip(self.models, self.data, state, strict=True):
            mujoco.mj_getState(model, data, row, EVERYTHING)
        return torch.from_numpy(state)

    def load(self, state: Tensor) -> None:
        for i, (model, data, row) in enumerate(zip(self.models, self.data, state.numpy(), strict=True)):
            mujoco.mj_setState(model, data, row, EVERYTHING)
            self._read(i)

    def _stacked(self, name: str) -> Tensor:
        return torch.tensor(np.stack([self._value(i, name) for i in range(self.lanes)]))

    def _write(self, i: int) -> None:
        for name in STATE:
            getattr(self.data[i], name)[:] = self.fields[name][i].numpy()

    def _read(self, i: int) -> None:
        for name, values in self.fields.items():
            values[i] = torch.from_numpy(self._value(i, name))

    def _value(self, i: int, name: str) -> NDArray[Any]:
        return np.asarray(getattr(self.models[i] if name in MODEL_FIELDS else self.data[i], name))
