"""Grid mazes in one batch against MiniGrid's four rooms as 1,024 Gymnasium environments in one process."""

import torch
from conftest import Note, in_turns
from pytest_benchmark.fixture import BenchmarkFixture

from metairl import catalogue, draws
from metairl.streams import stream
from metairl.worlds.maze_grid import MazeGrid

LANES = 1024


def test_grid_maze(benchmark: BenchmarkFixture, note: Note) -> None:
    torch.set_num_threads(1)
    card, rng = catalogue.task("snail-maze-grid"), stream("bench")
    world = MazeGrid(draws.train_tasks(card, LANES, rng).tasks, card.horizon, card.episodes, rng)
    world.reset()
    actions = torch.randint(4, (1000, LANES), generator=rng)

    def ours() -> int:
        for action in actions:
            world.step(action)
        return len(actions) * LANES

    rates = in_turns(ours, "minigrid", rounds=3)
    benchmark.pedantic(ours, rounds=1)
    assert note("grid maze / MiniGrid SyncVectorEnv, 1024 lanes", *rates, goal=100, unit="steps/s") >= 100
