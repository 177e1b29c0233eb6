"""One Runge–Kutta substep of MuJoCo, evaluation by evaluation, so that the last one can be looked at.

    X₁ = (q, v),   Xᵢ = (q ⊕ h cᵢ kᵢ₋₁, v + h cᵢ aᵢ₋₁),   c = ½, ½, 1
    kᵢ, aᵢ = velocity and acceleration at Xᵢ
    q ← q ⊕ h Σ wᵢ kᵢ,   v ← v + h Σ wᵢ aᵢ,   w = ⅙, ⅓, ⅓, ⅙

⊕ turns an orientation by a rotation vector. Rotation vectors do not add, so the angular part of kᵢ is carried
back to where the step began, u = h cᵢ kᵢ₋₁ being the turn that led to Xᵢ and ω the angular velocity there:

    dexp⁻¹(u) ω = ω + u × ω / 2 + (1 − |u| / 2 · cot(|u| / 2)) / |u|² · u × (u × ω)

Gymnasium computes contact forces once a step, from the contacts that the last evaluation found.
`mujoco.batch` has no call for that, and where a sensor makes it compute them it does so in a substep's
first evaluation.
The arithmetic is MuJoCo's, so states are equal to its own to the last bit.
"""

from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

Array = NDArray[Any]
ALL = int(mujoco.mjtStage.mjSTAGE_ACC)
NODES = (0.5, 0.5, 1.0)  # cᵢ
WEIGHTS = (1 / 6, 1 / 3, 1 / 3, 1 / 6)  # wᵢ
SMALL = 0.01  # of a squared angle


class RungeKutta:
    def __init__(self, batch: Batch):
        self.batch = batch
        self.h = batch.model.opt.timestep
        self.qpos, self.qvel, self.time, self.warmstart, self.qacc = (
            batch.bind(name) for name in ("qpos", "qvel", "time", "qacc_warmstart", "qacc")
        )
        kinds = batch.model.jnt_type
        free = batch.model.jnt_dofadr[kinds == mujoco.mjtJoint.mjJNT_FREE] + 3
        ball = batch.model.jnt_dofadr[kinds == mujoco.mjtJoint.mjJNT_BALL]
        self.turns = [slice(first, first + 3) for first in (*free, *ball)]  # angular dofs

    def take(self) -> None:
        q, v, t = self.qpos.copy(), self.qvel.copy(), self.time.copy()
        self.batch.forward(stage=ALL)
        k, a = [v], [self.qacc.copy()]
        for c in NODES:
            way = c * k[-1]
            self.qpos[:], self.qvel[:] = self._moved(q, way), v + self.h * (c * a[-1])
            self.time[:] = t + c * self.h
            self.batch.forward(stage=ALL)
            k.append(self._carried_back(self.h * way))
            a.append(self.qacc.copy())
        self.qpos[:] = self._moved(q, sum(w * x for w, x in zip(WEIGHTS, k, strict=True)))
        self.qvel[:] = v + self.h * sum(w * x for w, x in zip(WEIGHTS, a, strict=True))
        self.time[:], self.warmstart[:] = t + self.h, self.qacc

    def _moved(self, q: Array, velocity: Array) -> Array:
        """q ⊕ h · velocity."""
        there: Array = q.copy()
        for row, speed in zip(there, velocity, strict=True):
            mujoco.mj_integratePos(self.batch.model, row, speed, self.h)
        return there

    def _carried_back(self, way: Array) -> Array:
        velocity: Array = self.qvel.copy()
        for turn in self.turns:
            velocity[:, turn] = inverse_dexp(way[:, turn], velocity[:, turn])
        return velocity


def inverse_dexp(u: Array, omega: Array) -> Array:
    once = np.cross(u, omega)
    square = (u * u).sum(-1, keepdims=True)
    half = np.sqrt(np.maximum(square, SMALL)) / 2
    exact = (1 - half * np.cos(half) / np.sin(half)) / (4 * half * half)
    series = 1 / 12 + square / 720 + square**2 / 30240 + square**3 / 1209600  # of which rounding takes less
    carried: Array = omega + 0.5 * once + np.where(square < SMALL, series, exact) * np.cross(u, once)
    return carried
