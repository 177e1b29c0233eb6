"""Mazes, 1,024 in one batch, against other people's as Gymnasium environments in one process.

In first person against MiniWorld, which draws by OpenGL (Mesa on the same cores); in squares against
MiniGrid's four rooms.
"""

import pytest
import torch
from conftest import Note, in_turns
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.core.rng import stream
from metairl.envs import make
from metairl.tasks import catalogue, sampling

LANES = 1024
FIRST_PERSON = "first-person maze, 1024 lanes / MiniWorld SyncVectorEnv"
SQUARES = "grid maze / MiniGrid SyncVectorEnv, 1024 lanes"


@pytest.mark.parametrize(
    "task, threads, steps, peer, row, goal, unit",
    [
        ("snail-maze", 2, 40, "miniworld", FIRST_PERSON, 20, "frames/s"),
        ("snail-maze-grid", 1, 1000, "minigrid", SQUARES, 100, "steps/s"),
    ],
)
def test_mazes(
    task: str,
    threads: int,
    steps: int,
    peer: str,
    row: str,
    goal: int,
    unit: str,
    benchmark: BenchmarkFixture,
    note: Note,
) -> None:
    torch.set_num_threads(threads)
    card, rng = catalogue.task(task), stream("bench")
    tasks = sampling.train_tasks(card, LANES, rng).tasks
    env = make(card, tasks, rng)
    env.reset()
    actions = torch.randint(env.spec.actions, (steps, LANES), generator=rng)

    def ours() -> int:
        for action in actions:
            env.step(action)
        return len(actions) * LANES

    rates = in_turns(ours, peer, rounds=3)
    benchmark.pedantic(ours, rounds=1)
    assert note(row, *rates, goal=goal, unit=unit) >= goal
