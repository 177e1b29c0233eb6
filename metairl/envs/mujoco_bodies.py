"""Gymnasium's v5 bodies, unmodified: where each begins, what is seen of it, when it has fallen.

Every function is of an engine's fields alone, so it serves one engine as it serves the other. Whether a body
stands is a function of its positions and velocities, so it can be asked of what is seen as well.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.envs.engines import FORCES, Engine

TrialReader = Callable[[Engine], Tensor]
Stands = Callable[[Tensor, Tensor], Tensor]  # positions without its place, and velocities, to [B] bool


@dataclass(frozen=True)
class Body:
    xml: str  # among Gymnasium's assets
    substeps: int  # of physics in a step
    axes: int  # of the ground it moves on: 1 in a plane, 2; its first so many coordinates say where it is
    noise: float  # of the state that an episode begins in
    gaussian: bool  # noise of velocities, else uniform like that of positions
    reads: tuple[str, ...]  # derived fields
    observe: TrialReader  # [B, O], its positions without its place, its velocities, then the rest
    place: TrialReader  # [B, axes], the place whose change is its velocity
    stands: Stands | None  # None: it has no way to fall
    contact: TrialReader  # [B], squared contact forces as its reward counts them
    speed: int | None = None  # where in what is seen its speed along the first axis stands

    def start(self, qpos: Tensor, velocities: int, lanes: int, rng: Generator) -> dict[str, Tensor]:
        """States that episodes begin in: noise around the model's own."""
        away = 2 * torch.rand(lanes, len(qpos), generator=rng) - 1
        if self.gaussian:
            speed = torch.randn(lanes, velocities, generator=rng)
        else:
            speed = 2 * torch.rand(lanes, velocities, generator=rng) - 1
        return {"qpos": qpos + self.noise * away, "qvel": self.noise * speed}

    def healthy(self, engine: Engine) -> Tensor:
        """[B] bool."""
        if self.stands is None:
            return torch.ones_like(engine.diverged)
        return self.stands(engine.field("qpos")[:, self.axes :], engine.field("qvel"))


def _planar(engine: Engine) -> Tensor:
    return torch.cat([engine.field("qpos")[:, 1:], engine.field("qvel")], dim=1)


def _planar_clipped(engine: Engine) -> Tensor:
    return torch.cat([engine.field("qpos")[:, 1:], engine.field("qvel").clamp(-10, 10)], dim=1)


def _along(engine: Engine) -> Tensor:
    return engine.field("qpos")[:, :1]


def _weightless(engine: Engine) -> Tensor:
    return torch.zeros_like(engine.field("qpos")[:, 0])


def _hopper_stands(positions: Tensor, velocities: Tensor) -> Tensor:
    bounded = (positions[:, 1:].abs() < 100).all(1) & (velocities.abs() < 100).all(1)
    return bounded & (positions[:, 0] > 0.7) & (positions[:, 1].abs() < 0.2)


def _walker_stands(positions: Tensor, velocities: Tensor) -> Tensor:
    z, angle = positions[:, 0], positions[:, 1]
    return (z > 0.8) & (z < 2.0) & (angle.abs() < 1.0)


def _ant(engine: Engine) -> Tensor:
    forces = engine.field(FORCES)[:, 1:].clamp(-1, 1).flatten(1)
    return torch.cat([engine.field("qpos")[:, 2:], engine.field("qvel"), forces], dim=1)


def _torso(engine: Engine) -> Tensor:
    return engine.field("xpos")[:, 1, :2]


def _ant_stands(positions: Tensor, velocities: Tensor) -> Tensor:
    z = positions[:, 0]
    return (z >= 0.2) & (z <= 1.0)


def _clipped_forces(engine: Engine) -> Tensor:
    return engine.field(FORCES).clamp(-1, 1).square().sum((1, 2))


def _humanoid(engine: Engine) -> Tensor:
    bodies = [engine.field(name)[:, 1:].flatten(1) for name in ("cinert", "cvel")]
    motors, forces = engine.field("qfrc_actuator")[:, 6:], engine.field(FORCES)[:, 1:].flatten(1)
    return torch.cat([engine.field("qpos")[:, 2:], engine.field("qvel"), *bodies, motors, forces], dim=1)


def _centre_of_mass(engine: Engine) -> Tensor:
    mass = engine.field("body_mass").unsqueeze(-1)  # [B, bodies, 1]
    return ((mass * engine.field("xipos")).sum(1) / mass.sum(1))[:, :2]


def _humanoid_stands(positions: Tensor, velocities: Tensor) -> Tensor:
    z = positions[:, 0]
    return (z > 1.0) & (z < 2.0)


def _forces(engine: Engine) -> Tensor:
    return engine.field(FORCES).square().sum((1, 2))


BODIES = {
    "half-cheetah": Body(
        "half_cheetah.xml", 5, 1, 0.1, True, (), _planar, _along, None, _weightless, speed=8
    ),
    "hopper": Body("hopper.xml", 4, 1, 5e-3, False, (), _planar_clipped, _along, _hopper_stands, _weightless),
    "walker": Body(
        "walker2d_v5.xml",
        4,
        1,
        5e-3,
        False,
        (),
        _planar_clipped,
        _along,
        _walker_stands,
        _weightless,
    ),
    "ant": Body("ant.xml", 5, 2, 0.1, True, ("xpos", FORCES), _ant, _torso, _ant_stands, _clipped_forces),
    "humanoid": Body(
        "humanoid.xml",
        5,
        2,
        1e-2,
        False,
        ("body_mass", "xipos", "cinert", "cvel", "qfrc_actuator", FORCES),
        _humanoid,
        _centre_of_mass,
        _humanoid_stands,
        _forces,
    ),
}
