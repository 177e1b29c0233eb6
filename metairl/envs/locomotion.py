"""MuJoCo bodies that move over the ground, in many tasks at once.

    r = w_aim · aim(speed, place, task) + w_alive · [healthy] − w_control |u|² − w_contact · contact

A task is an aim's parameter (a speed, a direction, a place), multipliers of fields of the body's model, or
both. Speed is how far `place` moved in a step, divided by its duration, as in Gymnasium. Actions are in
[−1, 1] and are stretched to what the motors take. An episode ends at its horizon; where the card says that
the body `falls`, also as soon as it is not healthy. A lane whose simulation diverges ends too, with no
reward for the step, and is marked.

Rewards and observations are computed where the engine keeps its state and as precisely. What leaves the world
is 32-bit and on the CPU, whichever the engine, since that is where policies live.
"""

import torch
from torch import Generator, Tensor

from metairl.core.errors import CardError, nearest
from metairl.core.types import Spec, Step, Tasks
from metairl.envs import engines
from metairl.envs.locomotion_rewards import AIMS
from metairl.envs.mujoco_bodies import BODIES
from metairl.envs.mujoco_models import compiled, factor
from metairl.tasks.cards import Physics


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
        if physics.aim not in AIMS:
            raise CardError(f"no aim '{physics.aim}'; {nearest(physics.aim, AIMS)}")
        self.physics, self.body, self.rng = physics, BODIES[physics.body], rng
        self.task = _flat(tasks)
        self.lanes = len(self.task)
        self.model = model = compiled(physics.xml or self.body.xml, self.body.reads)
        self.engine = engines.make(model, self.lanes, self.body.reads, engine)
        self._change(tasks)
        self.aim = AIMS[physics.aim]
        self.state = self.engine.field("qpos")
        self.wanted = tasks.get(physics.aim, torch.ones(self.lanes, 1)).to(self.state)
        self.origin, self.velocities = torch.from_numpy(model.qpos0.copy()), model.nv
        self.seconds = model.opt.timestep * self.body.substeps
        low, high = torch.from_numpy(model.actuator_ctrlrange.copy()).to(self.state).T
        self.middle, self.reach = (low + high) / 2, (high - low) / 2
        self.horizon = horizon
        self.never = torch.zeros_like(self.engine.diverged)
        self.age = self.never.long()
        self.everyone = ~self.never
        self.place = torch.zeros_like(self.state[:, : self.body.axes])
        self._begin(self.everyone)
        self.spec = Spec(self._see().shape[1], model.nu, False, horizon, episodes, self.task.shape[1])

    @property
    def qpos(self) -> Tensor:
        """How every body stands, [B, nq], live: to be looked at."""
        return self.engine.field("qpos")

    def reset(self) -> Tensor:
        self._begin(self.everyone)
        return self._see().cpu()

    def reset_lanes(self, lanes: Tensor, tasks: Tasks) -> Tensor:
        self.task = self.task.index_put((lanes,), _flat(tasks))
        if self.physics.aim in tasks:
            self.wanted = self.wanted.index_put((lanes,), tasks[self.physics.aim].to(self.wanted))
        if set(tasks) - {self.physics.aim}:
            self._change(tasks, lanes)
        self._begin(lanes)
        return self._see()[lanes].cpu()

    def step(self, action: Tensor) -> Step:
        before = self.place
        control = torch.addcmul(self.middle, self.reach, action.to(self.state).clamp(-1, 1))
        self.engine.field("ctrl").copy_(control)
        self.engine.step(self.body.substeps)
        self.age += 1
        terminated = diverged = self.engine.diverged
        healthy = self.body.healthy(self.engine)
        if self.physics.falls:
            terminated = ~healthy | diverged
        self.place = self.body.place(self.engine).clone()
        reward = self._reward((self.place - before) / self.seconds, control, healthy).float()
        over = terminated | (self.age >= self.horizon)
        obs = final = self._see()
        if over.any():
            self._begin(over)
            obs = self._see()
            final = torch.where(diverged[:, None], obs, final)
            reward = reward.where(~diverged, 0.0)
        outcome = (obs, reward, terminated, over & ~terminated, self.never, final, diverged)
        return Step(*(value.cpu() for value in outcome))

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
        self.engine.put(lanes, self.body.start(self.origin, self.velocities, count, self.rng))
        self.age[lanes] = 0
        self.place = self.body.place(self.engine).clone()

    def _change(self, tasks: Tasks, lanes: Tensor | None = None) -> None:
        """The card's own changes of the model, and those that are tasks, in some lanes or all."""
        count = len(next(iter(tasks.values())))
        fixed = {field: torch.full((count, 1), by) for field, by in self.physics.scale.items()}
        varied = {name: by for name, by in tasks.items() if name != self.physics.aim}
        factors: dict[str, Tensor] = {}  # by field; several parts of it may be changed
        for field, by in (*fixed.items(), *varied.items()):
            name = field.partition(":")[0]
            factors[name] = factors.get(name, 1.0) * factor(self.model, field, by)
        for name, by in factors.items():
            self.engine.scale(name, by, lanes)


def _flat(tasks: Tasks) -> Tensor:
    """All parameters of a task in a row, [B, P]."""
    return torch.cat([values.flatten(1) for values in tasks.values()], dim=1).float()
