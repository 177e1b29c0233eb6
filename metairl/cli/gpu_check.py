"""What the gpu engine does on this machine: how close to the cpu engine, how fast, with how much memory."""

import time

import mujoco
import torch
from torch.cuda import get_device_name

from metairl.core.rng import stream
from metairl.envs import engines
from metairl.envs.engines.parity import begin_alike, drift
from metairl.envs.mujoco_bodies import BODIES, Body
from metairl.envs.mujoco_models import compiled

COMPARED = ("half-cheetah", 32, 50)  # body, lanes, steps of physics
TIMED = ("half-cheetah", "ant")
SIZES = (1_024, 4_096, 16_384)  # lanes
SECONDS = 2.0  # of stepping at each size


def examine() -> dict[str, str]:
    """Findings by name; on a machine without a CUDA device there is one, that it was skipped."""
    if not torch.cuda.is_available():
        return {"gpu": "skipped: no CUDA device"}
    engines.choose("gpu")  # complains where packages are missing
    return measure()


def measure() -> dict[str, str]:
    return {"gpu": get_device_name(), **_closeness(), **_speeds()}


def _closeness() -> dict[str, str]:
    name, lanes, steps = COMPARED
    body = BODIES[name]
    model = compiled(body.xml, body.reads)
    ours, exact = (engines.make(model, lanes, body.reads, kind) for kind in ("gpu", "cpu"))
    apart = drift(model, ours, exact, steps, stream("doctor"))[-1]
    return {
        f"{name} parity": f"after {steps} steps of physics {apart.median():.1e} from the cpu engine, "
        f"{apart.max():.1e} in the worst of {lanes} lanes"
    }


def _speeds() -> dict[str, str]:
    return {f"{name} x {lanes}": _speed(BODIES[name], lanes) for name in TIMED for lanes in SIZES}


def _speed(body: Body, lanes: int) -> str:
    """Random actions; memory is all of the device's that is in use, since Warp and torch each hold some."""
    model = compiled(body.xml, body.reads)
    engine = engines.make(model, lanes, body.reads, "gpu")
    begin_alike(model, (engine,), stream("doctor", lanes))
    _steps(model, engine, body.substeps, until=0.0)  # captures the graph
    rate = _steps(model, engine, body.substeps, until=SECONDS)
    free, whole = torch.cuda.mem_get_info()
    return f"{rate:,.0f} steps/s of {body.substeps} substeps, {(whole - free) / 2**30:.1f} GiB in use"


def _steps(model: mujoco.MjModel, engine: engines.Engine, substeps: int, until: float) -> float:
    """Steps a second over all lanes, at least one step in each."""
    control, begun, done = engine.field("ctrl"), time.perf_counter(), 0
    while done == 0 or time.perf_counter() - begun < until:
        control.uniform_(-1, 1)
        engine.step(substeps)
        done += engine.lanes
    torch.cuda.synchronize()
    return done / (time.perf_counter() - begun)
