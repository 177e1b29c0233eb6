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

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

Array = NDArray[Any]
ALL = int(mujoco.mjtStage.mjSTAGE_ACC)
SENSORS_OFF = int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
NODES = (0.5, 0.5, 1.0)  # cᵢ
WEIGHTS = (1 / 6, 1 / 3, 1 / 3, 1 / 6)  # wᵢ
SMALL = 0.01  # of a squared angle
NEARLY = 1e-15


class RungeKutta:
    """The last substeps of a batch, whose sensors are off but in their last evaluations."""

    def __init__(self, batch: Batch):
        self.batch, model = batch, batch.model
        self.h = model.opt.timestep
        self.qpos, self.qvel, self.time, self.warmstart, self.qacc = (
            batch.bind(name) for name in ("qpos", "qvel", "time", "qacc_warmstart", "qacc")
        )
        self.flags = batch.expand("opt.disableflags")
        self.flags |= SENSORS_OFF
        self.turns = list(_turns(model))
        quaternions = {i for where, _ in self.turns for i in range(where.start, where.stop)}
        angular = {i for _, what in self.turns for i in range(what.start, what.stop)}
        self.places = [i for i in range(model.nq) if i not in quaternions]
        self.speeds = [i for i in range(model.nv) if i not in angular]

    def take(self) -> None:
        q, v, t = self.qpos.copy(), self.qvel.copy(), self.time.copy()
        self.batch.forward(stage=ALL)
        k, a = [v], [self.qacc.copy()]
        for c in NODES:
            way = c * k[-1]
            self.qpos[:], self.qvel[:] = self._moved(q, way), v + self.h * (c * a[-1])
            self.time[:] = t + c * self.h
            self._evaluate(last=len(k) == len(NODES))
            k.append(self._carried_back(self.h * way))
            a.append(self.qacc.copy())
        self.qpos[:] = self._moved(q, sum(w * x for w, x in zip(WEIGHTS, k, strict=True)))
        self.qvel[:] = v + self.h * sum(w * x for w, x in zip(WEIGHTS, a, strict=True))
        self.time[:], self.warmstart[:] = t + self.h, self.qacc

    def _evaluate(self, last: bool) -> None:
        if last:
            self.flags &= ~SENSORS_OFF
        self.batch.forward(stage=ALL)
        self.flags |= SENSORS_OFF

    def _moved(self, q: Array, velocity: Array) -> Array:
        """q ⊕ h · velocity."""
        there: Array = q.copy()
        there[:, self.places] += self.h * velocity[:, self.speeds]
        for where, what in self.turns:
            there[:, where] = turned(q[:, where], velocity[:, what], self.h)
        return there

    def _carried_back(self, way: Array) -> Array:
        velocity: Array = self.qvel.copy()
        for _, what in self.turns:
            velocity[:, what] = inverse_dexp(way[:, what], velocity[:, what])
        return velocity


def _turns(model: mujoco.MjModel) -> Iterator[tuple[slice, slice]]:
    """Where orientations stand: the four numbers of a quaternion and its three velocities."""
    offset = {int(mujoco.mjtJoint.mjJNT_FREE): 3, int(mujoco.mjtJoint.mjJNT_BALL): 0}
    for kind, place, speed in zip(model.jnt_type, model.jnt_qposadr, model.jnt_dofadr, strict=True):
        if kind in offset:
            first, begin = place + offset[kind], speed + offset[kind]
            yield slice(first, first + 4), slice(begin, begin + 3)


def turned(quaternion: Array, omega: Array, h: float) -> Array:
    """An orientation after so much time; sums are paired as MuJoCo pairs them, which the last bit shows."""
    x, y, z = omega.T
    length = np.sqrt(x * x + y * y + z * z)
    inverse = 1 / np.maximum(length, np.finfo(float).tiny)
    half = h * length * 0.5
    sine, b0 = np.sin(half), np.cos(half)
    b1, b2, b3 = x * inverse * sine, y * inverse * sine, z * inverse * sine
    a0, a1, a2, a3 = _unit(quaternion).T
    return np.stack(
        [
            (a0 * b0 - a1 * b1) - (a2 * b2 + a3 * b3),
            (a0 * b1 + a1 * b0) + (a2 * b3 - a3 * b2),
            (a0 * b2 - a1 * b3) + (a2 * b0 + a3 * b1),
            (a0 * b3 + a1 * b2) + (a3 * b0 - a2 * b1),
        ],
        axis=1,
    )


def _unit(quaternion: Array) -> Array:
    """Of length 1, where it is not nearly so."""
    a0, a1, a2, a3 = quaternion.T
    length = np.sqrt((a0 * a0 + a1 * a1) + (a2 * a2 + a3 * a3))[:, None]
    return np.where(np.abs(length - 1) > NEARLY, quaternion * (1 / length), quaternion)


def inverse_dexp(u: Array, omega: Array) -> Array:
    once = _cross(u, omega)
    square = (u * u).sum(-1, keepdims=True)
    half = np.sqrt(np.maximum(square, SMALL)) / 2
    exact = (1 - half * np.cos(half) / np.sin(half)) / (4 * half * half)
    series = 1 / 12 + square / 720 + square**2 / 30240 + square**3 / 1209600  # of which rounding takes less
    carried: Array = omega + 0.5 * once + np.where(square < SMALL, series, exact) * _cross(u, once)
    return carried


def _cross(a: Array, b: Array) -> Array:
    """numpy's own takes five times as long on so few rows."""
    x, y, z = a.T
    u, v, w = b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)
