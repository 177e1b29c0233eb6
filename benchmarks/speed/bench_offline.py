"""Offline learning: gradient steps against d3rlpy's, drawing a batch included, and drawing alone.

Logs are random numbers of half-cheetah's shapes, 100 episodes of 1,000 steps. CQL's settings are those that
both sides have: ten actions of each kind, weight 5, no Lagrange. A `DataLoader` draws as it does by default,
in the same process: it asks a dataset for transitions one by one and stacks them.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import Note, in_turns, side_by_side
from pytest_benchmark.fixture import BenchmarkFixture
from torch.utils.data import DataLoader, TensorDataset

from metairl.data.episodes import Episode
from metairl.data.offline_dataset import OfflineDataset, as_replay
from metairl.envs import spec_of
from metairl.methods import build, registry
from metairl.methods import settings as tuning
from metairl.tasks import catalogue
from metairl.training.offline import Offline

CARD = catalogue.task("half-cheetah:data=replay")
SPEC = spec_of(CARD)
EPISODES, BATCH, TASKS = 100, 256, 16
BATCHES = 20  # drawn a measurement


@pytest.mark.parametrize(("name", "rounds"), [("iql", 300), ("cql", 30)])
def test_gradient_steps(benchmark: BenchmarkFixture, note: Note, name: str, rounds: int) -> None:
    torch.set_num_threads(2)
    method = registry.find(name)
    settings = tuning.settings_type(method, "none")()
    settings = replace(settings, recipe=replace(settings.recipe, batch_tasks=1, batch=BATCH))
    agent = build.build_agent(method, "none", SPEC, settings, CARD, seed=0)
    recipe = Offline(agent, random_logs(tasks=1), settings.recipe, seed=0)

    def ours() -> int:
        recipe.improve(rounds)
        return rounds

    rates = in_turns(ours, "d3rlpy", 3, name)
    benchmark.pedantic(ours, rounds=1)
    ratio = note(f"{name.upper()}, gradient steps / d3rlpy's {name.upper()}", *rates, goal=2, unit="steps/s")
    assert ratio >= 2


def test_drawing(benchmark: BenchmarkFixture, note: Note) -> None:
    torch.set_num_threads(2)
    replay = random_logs(tasks=20).replay
    chance = torch.Generator().manual_seed(0)

    def some() -> torch.Tensor:
        return torch.randperm(20, generator=chance)[:TASKS]

    def ours() -> int:
        for _ in range(BATCHES):
            replay.sample_transitions(some(), BATCH, chance)
        return BATCHES

    each = EPISODES // 20 * SPEC.horizon

    def indices() -> Iterator[list[int]]:
        for _ in range(BATCHES):
            steps = torch.randint(each, (TASKS, BATCH), generator=chance)
            yield (some().unsqueeze(1) * each + steps).flatten().tolist()

    columns = ("obs", "action", "reward", "after", "done", "terminated")
    rows = TensorDataset(*(replay.data[column].flatten(0, 2) for column in columns))

    def loader() -> int:
        return sum(1 for _ in DataLoader(rows, batch_sampler=list(indices())))

    rates = side_by_side(ours, loader, rounds=5)
    benchmark.pedantic(ours, rounds=1)
    name = "logs, 16 tasks × 256 transitions drawn / DataLoader"
    assert note(name, *rates, goal=20, unit="batches/s") >= 20


def random_logs(tasks: int) -> OfflineDataset:
    chance = np.random.default_rng(0)
    groups = [[episode(chance) for _ in range(EPISODES // tasks)] for _ in range(tasks)]
    return OfflineDataset(as_replay(groups, SPEC, CARD), sha256="")


def episode(chance: np.random.Generator) -> Episode:
    steps = SPEC.horizon
    never = np.zeros(steps, dtype=bool)
    return Episode(
        task="",
        parameters=[0.0],
        seed=0,
        obs=chance.standard_normal((steps + 1, SPEC.obs), dtype=np.float32),
        action=chance.uniform(-1, 1, (steps, SPEC.actions)).astype(np.float32),
        reward=chance.standard_normal(steps, dtype=np.float32),
        terminated=never,
        truncated=np.arange(steps) == steps - 1,
        success=never,
    )
