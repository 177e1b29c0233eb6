"""First-person mazes, 1,024 in one batch, against MiniWorld's rendered by OpenGL (Mesa on the same cores)."""

import torch
from conftest import Note, in_turns
from pytest_benchmark.fixture import BenchmarkFixture

from metairl import catalogue, draws
from metairl.streams import stream
from metairl.worlds.maze import Maze

LANES = 1024


def test_first_person_maze(benchmark: BenchmarkFixture, note: Note) -> None:
    torch.set_num_threads(2)
    card, rng = catalogue.task("snail-maze"), stream("bench")
    world = Maze(draws.train_tasks(card, LANES, rng).tasks, card.horizon, card.episodes, rng)
    world.reset()
    actions = torch.randint(3, (40, LANES), generator=rng)

    def ours() -> int:
        for action in actions:
            world.step(action)
        return len(actions) * LANES

    rates = in_turns(ours, "miniworld", rounds=3)
    benchmark.pedantic(ours, rounds=1)
    assert (
        note("first-person maze, 1024 lanes / MiniWorld SyncVectorEnv", *rates, goal=20, unit="frames/s")
        >= 20
    )
