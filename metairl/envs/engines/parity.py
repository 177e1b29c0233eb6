"""How far two engines drift apart that begin alike and are driven alike."""

from collections.abc import Sequence

import mujoco
import torch
from torch import Generator, Tensor

from metairl.envs.engines import Engine

SPREAD = 0.1  # of the states that they begin in, around the model's own


def drift(model: mujoco.MjModel, one: Engine, other: Engine, steps: int, rng: Generator) -> Tensor:
    """[steps, B], after each step of physics the largest difference of a lane's coordinates."""
    begin_alike(model, (one, other), rng)
    apart = []
    for _ in range(steps):
        drive_alike(model, (one, other), 1, rng)
        apart.append((where(one) - where(other)).abs().amax(1))
    return torch.stack(apart)


def where(engine: Engine) -> Tensor:
    """A copy, since engines write in place."""
    return engine.field("qpos").double().cpu().clone()


def begin_alike(model: mujoco.MjModel, engines: Sequence[Engine], rng: Generator) -> None:
    """In 32-bit states, which every engine holds exactly."""
    away, speed = (torch.randn(engines[0].lanes, width, generator=rng) for width in (model.nq, model.nv))
    qpos, qvel = torch.from_numpy(model.qpos0).float() + SPREAD * away, SPREAD * speed
    for engine in engines:
        everyone = torch.ones_like(engine.diverged)
        engine.put(everyone, {"qpos": qpos, "qvel": qvel})


def drive_alike(model: mujoco.MjModel, engines: Sequence[Engine], substeps: int, rng: Generator) -> None:
    control = 2 * torch.rand(engines[0].lanes, model.nu, generator=rng) - 1
    for engine in engines:
        engine.field("ctrl").copy_(control)
        engine.step(substeps)
