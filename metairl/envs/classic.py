"""Two classics of discrete control as Gymnasium has them (CartPole-v1, Acrobot-v1), in batches.

cart-pole    x″ and θ″ of a cart under ±10 N and the pole on it (Barto et al. 1983), Euler steps of 0.02 s;
             1 a step, until |x| > 2.4 or |θ| > 12°
acrobot      θ₁″ and θ₂″ of two links under −1, 0 or 1 Nm between them (Sutton & Barto 2018, section 11.3),
             a Runge-Kutta step of 0.2 s; −1 a step, until the tip is a link's length above the first joint

A task is half the length of the pole, or the mass of each link.
"""

from copy import copy
from math import cos, pi

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec, Step, Tasks

GRAVITY = 9.8


class Classic:
    """Lanes whose episodes end each at their own time."""

    parameter: str  # what a task is
    actions: int
    width: int  # of an observation
    numbers = 4  # of a state
    spread: float  # episodes begin in U[−spread, spread] of each

    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        self.task = tasks[self.parameter].double()  # [B, 1]
        self.lanes, self.rng = len(self.task), rng
        self.spec = Spec(self.width, self.actions, True, horizon, episodes, params=1)
        self.state = self._begin(self.lanes)
        self.age = torch.zeros(self.lanes, dtype=torch.int64)

    def reset(self) -> Tensor:
        self.state, self.age = self._begin(self.lanes), torch.zeros_like(self.age)
        return self.seen(self.state)

    def step(self, action: Tensor) -> Step:
        before, self.state = self.state, self.moved(self.state, action)
        self.age += 1
        ended = self.ended(self.state)
        reward, final = self.reward(before, action, self.state, ended), self.seen(self.state)
        late = (self.age >= self.spec.horizon) & ~ended
        over, obs = ended | late, final
        if over.any():
            self.state = self.state.index_put((over,), self._begin(int(over.sum())))
            self.age = self.age.masked_fill(over, 0)
            obs = self.seen(self.state)
        return Step(obs, reward, ended, late, torch.zeros_like(ended), final)

    def select(self, rows: Tensor) -> "Classic":
        some = copy(self)
        some.lanes = int(rows.sum())
        some.task, some.state, some.age = self.task[rows], self.state[rows], self.age[rows]
        return some

    def reset_lanes(self, lanes: Tensor, tasks: Tasks) -> Tensor:
        anew = self._begin(int(lanes.sum()))
        self.task = self.task.index_put((lanes,), tasks[self.parameter].double())
        self.state, self.age = self.state.index_put((lanes,), anew), self.age.masked_fill(lanes, 0)
        return self.seen(anew)

    def _begin(self, count: int) -> Tensor:
        unit = torch.rand(count, self.numbers, generator=self.rng, dtype=torch.float64)
        return self.spread * (2 * unit - 1)

    def moved(self, state: Tensor, action: Tensor) -> Tensor:
        raise NotImplementedError

    def seen(self, state: Tensor) -> Tensor:
        raise NotImplementedError

    def ended(self, state: Tensor) -> Tensor:
        raise NotImplementedError

    def reward(self, before: Tensor, action: Tensor, after: Tensor, ended: Tensor) -> Tensor:
        raise NotImplementedError


class CartPole(Classic):
    parameter, actions, width, spread = "pole", 2, 4, 0.05
    cart, rod, force, seconds = 1.0, 0.1, 10.0, 0.02
    furthest, steepest = 2.4, 12 * pi / 180

    def moved(self, state: Tensor, action: Tensor) -> Tensor:
        speed, angle, turn = state[:, 1:].unbind(1)
        half, total = self.task[:, 0], self.cart + self.rod
        push = self.force * (2 * action - 1)
        sine, cosine = angle.sin(), angle.cos()
        shared = (push + self.rod * half * turn.square() * sine) / total
        swing = (GRAVITY * sine - cosine * shared) / (half * (4 / 3 - self.rod * cosine.square() / total))
        pull = shared - self.rod * half * swing * cosine / total
        rates = torch.stack([speed, pull, turn, swing], dim=1)
        return state + self.seconds * rates

    def seen(self, state: Tensor) -> Tensor:
        return state.float()

    def ended(self, state: Tensor) -> Tensor:
        return (state[:, 0].abs() > self.furthest) | (state[:, 2].abs() > self.steepest)

    def reward(self, before: Tensor, action: Tensor, after: Tensor, ended: Tensor) -> Tensor:
        return torch.ones(len(ended))


class Acrobot(Classic):
    parameter, actions, width, spread = "mass", 3, 6, 0.1
    middle, inertia, seconds = 0.5, 1.0, 0.2
    fastest = 4 * pi, 9 * pi

    def moved(self, state: Tensor, action: Tensor) -> Tensor:
        torque, whole = (action - 1).double(), self.seconds
        k1 = self._rates(state, torque)
        k2 = self._rates(state + whole / 2 * k1, torque)
        k3 = self._rates(state + whole / 2 * k2, torque)
        k4 = self._rates(state + whole * k3, torque)
        after = state + whole / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        angles = (after[:, :2] + pi) % (2 * pi) - pi
        speeds = [after[:, 2 + joint].clamp(-most, most) for joint, most in enumerate(self.fastest)]
        return torch.cat([angles, torch.stack(speeds, dim=1)], dim=1)

    def _rates(self, state: Tensor, torque: Tensor) -> Tensor:
        """Of both angles and both speeds; links are one metre long."""
        first, second, fast, faster = state.unbind(1)
        m, c, i = self.task[:, 0], self.middle, self.inertia
        d1 = m * c**2 + m * (1 + c**2 + 2 * c * second.cos()) + 2 * i
        d2 = m * (c**2 + c * second.cos()) + i
        hang2 = m * c * GRAVITY * (first + second - pi / 2).cos()
        whirl = -m * c * (faster.square() + 2 * faster * fast) * second.sin()
        hang1 = whirl + (m * c + m) * GRAVITY * (first - pi / 2).cos() + hang2
        bent = torque + d2 / d1 * hang1 - m * c * fast.square() * second.sin() - hang2
        bend = bent / (m * c**2 + i - d2.square() / d1)
        return torch.stack([fast, faster, -(d2 * bend + hang1) / d1, bend], dim=1)

    def seen(self, state: Tensor) -> Tensor:
        angles, speeds = state[:, :2], state[:, 2:]
        turned = torch.stack([angles.cos(), angles.sin()], dim=2).flatten(1)
        return torch.cat([turned, speeds], dim=1).float()

    def ended(self, state: Tensor) -> Tensor:
        first, second = state[:, 0], state[:, 1]
        return -first.cos() - (first + second).cos() > cos(0)

    def reward(self, before: Tensor, action: Tensor, after: Tensor, ended: Tensor) -> Tensor:
        return ended.float() - 1
