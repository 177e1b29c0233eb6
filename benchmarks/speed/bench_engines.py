"""MuJoCo tasks, 64 lanes on two cores, rewards, observations and new episodes in torch included.

Against Gymnasium's worker processes and EnvPool's threads, which step one body with one reward, and against
MuJoCo's batched step with nothing around it.
"""

from collections.abc import Callable

import gymnasium
import pytest
import torch
from conftest import Note, in_turns, side_by_side
from mujoco.batch import Batch
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.core.rng import stream
from metairl.envs import make
from metairl.envs.mujoco_bodies import BODIES
from metairl.envs.mujoco_models import compiled
from metairl.tasks import catalogue, sampling

LANES, STEPS = 64, 400


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


def stepping(task: str) -> Callable[[], int]:
    card, rng = catalogue.task(task), stream("bench")
    env = make(card, sampling.train_tasks(card, LANES, rng).tasks, rng)
    env.reset()
    actions = 2 * torch.rand(STEPS, LANES, env.spec.actions, generator=rng) - 1

    def ours() -> int:
        for action in actions:
            env.step(action)
        return STEPS * LANES

    return ours


@pytest.mark.parametrize(
    "task, body",
    [
        ("half-cheetah-vel", "HalfCheetah-v5"),
        ("ant-goal", "Ant-v5"),
        ("walker-rand-params", "Walker2d-v5"),
    ],
)
def test_envpool(task: str, body: str, benchmark: BenchmarkFixture, note: Note) -> None:
    ours = stepping(task)
    rates = in_turns(ours, "envpool", 5, body)
    benchmark.pedantic(ours, rounds=1)
    assert note(f"{task}, 64 lanes / EnvPool {body}, 2 threads", *rates, goal=0.95, unit="steps/s") >= 0.95


@pytest.mark.filterwarnings("ignore:compiler attribute 'settotalmass'")
def test_worker_processes(benchmark: BenchmarkFixture, note: Note) -> None:
    peer = gymnasium.make_vec("HalfCheetah-v5", LANES, vectorization_mode="async")
    peer.reset(seed=0)
    actions = [peer.action_space.sample() for _ in range(20)]

    def theirs() -> int:
        for action in actions:
            peer.step(action)
        return len(actions) * LANES

    ours = stepping("half-cheetah-vel")
    rates = side_by_side(ours, theirs, rounds=5)
    peer.close()
    benchmark.pedantic(ours, rounds=1)
    row = "half-cheetah-vel, 64 lanes / Gymnasium AsyncVectorEnv HalfCheetah-v5"
    assert note(row, *rates, goal=4, unit="steps/s") >= 4


def test_bare_physics(benchmark: BenchmarkFixture, note: Note) -> None:
    body = BODIES["half-cheetah"]
    model = compiled(body.xml, body.reads)
    batch = Batch(model, LANES, 2)
    controls = (
        2 * torch.rand(STEPS, LANES, model.nu, generator=stream("bare"), dtype=torch.float64) - 1
    ).numpy()

    def bare() -> int:
        for step, control in enumerate(controls):
            batch.ctrl = control
            batch.step(nstep=body.substeps)
            if step % 200 == 0:
                batch.reset()
        return STEPS * LANES

    ours = stepping("half-cheetah-vel")
    rates = side_by_side(ours, bare, rounds=7)
    benchmark.pedantic(ours, rounds=1)
    assert note("half-cheetah-vel, 64 lanes / bare Batch.step", *rates, goal=0.7, unit="steps/s") >= 0.7
