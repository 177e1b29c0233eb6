"""Meta-World on two cores: many tasks at once, one task in many lanes, getting ready, one judgement.

Against the package's own vector environments, constructors and evaluator, and EnvPool's port.
"""

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from conftest import Note, in_turns, side_by_side
from metaworld import evaluation
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.core.interfaces import Env
from metairl.core.rng import stream
from metairl.core.types import PolicyInputs
from metairl.envs import make
from metairl.envs.metaworld import arena, official
from metairl.evaluation.protocol import StepCounts, meta_test
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.tasks import catalogue, sampling

pytestmark = pytest.mark.filterwarnings("ignore")  # the package's, of old names in its dependencies
STEPS = 100


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


def ready(task: str, lanes: int) -> Env:
    card, rng = catalogue.task(task), stream("bench")
    env = make(card, sampling.train_tasks(card, lanes, rng).tasks, rng)
    env.reset()
    return env


def stepping(task: str, lanes: int) -> Callable[[], int]:
    env = ready(task, lanes)
    actions = 2 * torch.rand(STEPS, lanes, 4, generator=stream("actions")) - 1

    def ours() -> int:
        for action in actions:
            env.step(action)
        return STEPS * lanes

    return ours


def test_many_tasks(benchmark: BenchmarkFixture, note: Note) -> None:
    official.package()
    rates = []
    for strategy in ("sync", "async"):
        peer = gymnasium.make_vec("Meta-World/MT10", vector_strategy=strategy, seed=1)
        peer.reset(seed=1)
        actions = np.random.default_rng(0).uniform(-1, 1, (STEPS, 10, 4)).astype(np.float32)

        def theirs(peer: Any = peer, actions: Any = actions) -> int:
            for action in actions:
                peer.step(action)
            return STEPS * 10

        ours = stepping("mt10", 640)
        rates.append(side_by_side(ours, theirs, rounds=3))
        peer.close()
    benchmark.pedantic(ours, rounds=1)
    best = max(rates, key=lambda pair: pair[1])
    row = "MT10, 640 lanes / Gymnasium Meta-World/MT10, sync or async"
    assert note(row, *best, goal=4, unit="steps/s") >= 4


@pytest.mark.parametrize(
    "skill, theirs", [("reach", "MetaWorld/Reach-v3"), ("pick-place", "MetaWorld/PickPlace-v3")]
)
def test_one_task(skill: str, theirs: str, benchmark: BenchmarkFixture, note: Note) -> None:
    ours = stepping(f"mt1:skill={skill}", 64)
    rates = in_turns(ours, "envpool", 5, theirs)
    benchmark.pedantic(ours, rounds=1)
    assert note(f"{skill}-v3, 64 lanes / EnvPool, 2 threads", *rates, goal=0.9, unit="steps/s") >= 0.9


def test_ready(benchmark: BenchmarkFixture, note: Note) -> None:
    """How episodes begin is on disk, scenes are not compiled yet; the package's classes are imported."""
    ready("mt50", 500)
    arena.compiled.cache_clear()
    ours = seconds(lambda: ready("mt50", 500))
    theirs = seconds(lambda: official.package().MT50(seed=1))
    benchmark.pedantic(lambda: None, rounds=1)
    row = "MT50 ready, 500 lanes, warm cache / the package's MT50()"
    assert note(row, ours, theirs, goal=0.1, unit="s", better="lower") <= 0.1


class Anything:
    """An agent of the package's evaluator that does anything."""

    def __init__(self, envs: Any):
        self.shape, self.chance = envs.action_space.shape, np.random.default_rng(0)

    def init(self) -> None: ...

    def adapt(self) -> None: ...

    def reset(self, env_mask: Any) -> None: ...

    def step(self, timestep: Any) -> None: ...

    def eval_action(self, observations: Any) -> Any:
        return self.chance.uniform(-1, 1, self.shape).astype(np.float32)

    def adapt_action(self, observations: Any) -> Any:
        return self.eval_action(observations), {}


def test_one_judgement(benchmark: BenchmarkFixture, note: Note) -> None:
    """ML10 at the published size, 13 episodes on all 250 test goals; the package's ten rounds from one."""
    asked = make_request("random", "ml10:episodes=13")
    policy, _ = build(asked)
    tasks = sampling.task_set(asked.card, "test")
    ours = seconds(lambda: meta_test(policy, asked.card, tasks, PolicyInputs(), 0, StepCounts()))
    envs = official.package().make_ml_envs_test("ML10", seed=1, meta_batch_size=20, total_tasks_per_cls=40)
    one_round = seconds(lambda: evaluation.metalearning_evaluation(Anything(envs), envs, num_evals=1))
    envs.close()
    benchmark.pedantic(lambda: None, rounds=1)
    row = "ML10 meta-test, random policy, 13 episodes on 250 goals / the package's evaluator, 200 goals"
    note(row, ours, 10 * one_round, goal=0.25, unit="s", better="lower")


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
