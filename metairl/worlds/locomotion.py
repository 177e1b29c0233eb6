"""MuJoCo bodies that move over the ground, in many tasks at once.

    r = w_aim · aim(speed, place, task) + w_alive · [healthy] − w_control |u|² − w_contact · contact

A task is an aim's parameter (a speed, a direction, a place), multipliers of fields of the body's model, or
both. Speed is how far `place` moved in a step, divided by its duration, as in Gymnasium. Actions are in
[−1, 1] and are stretched to what the motors take. An episode ends at its horizon; where the card says that
the body `falls`, also as soon as it is not healthy. A lane whose simulation diverges ends too, with no
reward for the step, and is marked.
"""

import mujoco
import torch
from torch import Generator, Tensor

from metairl.cards import Physics
from metairl.errors import CardError, nearest
from metairl.types import Spec, Step, Tasks
from metairl.worlds import engine as engines
from metairl.worlds.aims import AIMS
from metairl.worlds.bodies import BODIES
from metairl.worlds.model import compiled, factor


class Locomotion:
    def __init__(
        self,
        tasks: Tasks,
        horizon: int,
        episodes: int,
        rng: Generator,
        physics: Physics,
        engine: engines.Kind = "cpu",
    ):
        if physics.body not in BODIES:
            raise CardError(f"no body '{physics.body}'; {nearest(physics.body, BODIES)}")
        self.physics, self.body, self.rng = physics, BODIES[physics.body], rng
        self.task = torch.cat([values.flatten(1) for values in tasks.values()], dim=1).float()
        self.lanes = len(self.task)
        model = compiled(physics.xml or self.body.xml, self.body.reads)
        self.engine = engines.make(model, self.lanes, self.body.reads, engine)
        self._change(model, tasks)
        self.aim = AIMS[physics.aim]
        self.wanted = tasks.get(physics.aim, torch.ones(self.lanes, 1)).double()
        self.origin, self.velocities = torch.from_numpy(model.qpos0.copy()), model.nv
        self.seconds = model.opt.timestep * self.body.substeps
        low, high = torch.from_numpy(model.actuator_ctrlrange.copy()).T
        self.middle, self.reach = (low + high) / 2, (high - low) / 2
        self.horizon = horizon
        self.age = torch.zeros(self.lanes, dtype=torch.int64)
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.everyone = ~self.never
        self.place = torch.zeros(self.lanes, self.body.axes)
        self._begin(self.everyone)
        self.spec = Spec(self._see().shape[1], model.nu, False, horizon, episodes, self.task.shape[1])

    @property
    def qpos(self) -> Tensor:
        """How every body stands, [B, nq], live: to be looked at."""
        return self.engine.field("qpos")

    def reset(self) -> Tensor:
        self._begin(self.everyone)
        return self._see()

    def step(self, action: Tensor) -> Step:
        before = self.place
        control = self.middle + self.reach * action.clamp(-1, 1)
        self.engine.field("ctrl").copy_(control)
        self.engine.step(self.body.substeps)
        self.age += 1
        lost = self.engine.lost
        healthy = self.body.healthy(self.engine)
        self.place = self.body.place(self.engine).clone()
        reward = self._reward((self.place - before) / self.seconds, control, healthy)
        terminated = (~healthy if self.physics.falls else self.never) | lost
        truncated = (self.age >= self.horizon) & ~terminated
        obs = final = self._see()
        over = terminated | truncated
        if over.any():
            self._begin(over)
            obs = self._see()
            final = torch.where(lost[:, None], obs, final)
        success = self.never
        return Step(obs, reward.where(~lost, 0.0).float(), terminated, truncated, success, final, lost)

    def _reward(self, speed: Tensor, control: Tensor, healthy: Tensor) -> Tensor:
        weights = self.physics
        reward = weights.progress * self.aim(speed, self.place, self.wanted)
        if weights.alive:
            reward = reward + weights.alive * healthy
        if weights.control:
            reward = reward - weights.control * control.square().sum(1)
        if weights.contact:
            reward = reward - (weights.contact * self.body.contact(self.engine)).clamp(
                max=weights.contact_limit
            )
        return reward

    def _see(self) -> Tensor:
        seen = self.body.observe(self.engine)
        if self.physics.sees_place:
            seen = torch.cat([self.engine.field("qpos")[:, : self.body.axes], seen], dim=1)
        return seen.float()

    def _begin(self, lanes: Tensor) -> None:
        count = int(lanes.sum())
        self.engine.put(lanes, *self.body.start(self.origin, self.velocities, count, self.rng))
        self.age[lanes] = 0
        self.place = self.body.place(self.engine).clone()

    def _change(self, model: mujoco.MjModel, tasks: Tasks) -> None:
        """The card's own changes of the model, and those that are tasks."""
        fixed = {field: torch.full((self.lanes, 1), by) for field, by in self.physics.scale.items()}
        varied = {name: by for name, by in tasks.items() if name != self.physics.aim}
        for field, by in (*fixed.items(), *varied.items()):
            self.engine.scale(field.partition(":")[0], factor(model, field, by))
