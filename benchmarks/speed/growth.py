"""How the cost of a run grows, printed as the table of docs/scale.md: one thread, median of a few rounds.

python benchmarks/speed/growth.py
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.data.task_sources import TrainingTasks
from metairl.envs import spec_of
from metairl.evaluation.protocol import StepCounts, meta_test
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.tasks import sampling

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """Of a round, after one that warms up."""
    took = []
    for _ in range(1 + ROUNDS):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])


def iteration(trials: int, pulls: int) -> float:
    """Of RL² on bandits: trials lived, and four passes over them."""
    asked = make_request("rl2", f"bandit-5:pulls={pulls}", steps=10**9)
    settings = replace(asked.settings, recipe=replace(asked.settings.recipe, trials=trials))
    _, recipe = build(replace(asked, settings=settings))
    assert recipe is not None
    return seconds(lambda: recipe.iterate(0.0))


def lived(lanes: int) -> float:
    """Of a hundred steps of half-cheetahs under random actions, one a lane."""
    asked = make_request("random", "half-cheetah-vel:episodes=1")
    card = asked.card.model_copy(update={"horizon": 100})
    policy, _ = build(asked)
    source = TrainingTasks(card, spec_of(card), "cpu")
    tasks = source.draw(lanes, stream("growth")).tasks

    def live() -> None:
        rollout(policy, source.env(tasks, stream("world")), stream("act"), asked.inputs)

    return seconds(live)


def judged(tasks: int) -> float:
    """Of an untrained RL² on so many bandits."""
    asked = make_request("rl2", "bandit-5")
    few = sampling.TaskSet(asked.card.id, "growth", sampling.sample_tasks(asked.card, tasks, stream("tasks")))
    policy, _ = build(asked)
    return seconds(lambda: meta_test(policy, asked.card, few, asked.inputs, 0, StepCounts()))


def row(name: str, work: Callable[[int], float], sizes: tuple[int, ...]) -> None:
    """Seconds by size, and what doubling a size does to them at the large end."""
    took = [work(size) for size in sizes]
    doubling = (took[-1] / took[-2]) ** (1 / torch.tensor(sizes[-1] / sizes[-2]).log2().item())
    cells = " | ".join(f"{size:,}: {value:.3g} s" for size, value in zip(sizes, took, strict=True))
    print(f"| {name} | {cells} | × {doubling:.2f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    row("RL² on bandits: trials of an iteration", lambda size: iteration(size, 10), (64, 256, 1024, 4096))
    row("RL² on bandits: pulls of a trial", lambda size: iteration(64, size), (10, 40, 160, 640))
    row("half-cheetahs: lanes, 100 steps", lived, (1, 8, 64, 512))
    row("judging: held-out bandits", judged, (256, 1024, 4096, 16384))
