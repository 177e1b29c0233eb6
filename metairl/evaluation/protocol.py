"""The evaluation protocol. It decides budgets, seeds, environments and what is hidden; methods decide none of them.

    meta-training    the training loop iterates until its step budget is spent; learning curves are on `validation`
    meta-test        K episodes on every task of `test`; memory is kept between them, weights are fixed
    records          one line for each evaluation and episode index, with the returns of all tasks

The last parameters are the ones reported. Evaluation uses environments and random streams of its own, so
evaluating more often changes nothing in training.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from metairl.core.errors import Diverged
from metairl.core.interfaces import Policy
from metairl.core.records import Evaluation, Record, Training
from metairl.core.rng import stream
from metairl.core.rollout import rollout_outcome
from metairl.core.types import Outcome, PolicyInputs
from metairl.envs import make
from metairl.envs.engines import Kind
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet

LANES = 4096  # tasks evaluated at once; part of the protocol, since lanes share a random stream
CURVE = 20  # evaluations on validation tasks during training, beside the one at the start
LINES = 200  # records of training losses in a run


class Recipe(Protocol):
    """A training loop, one iteration at a time."""

    networks: nn.Module
    env_steps: int
    gradient_steps: int

    @property
    def clock(self) -> int:
        """What its budget is counted in: environment steps, or gradient steps of methods without an environment."""
        ...

    def iterate(self, progress: float) -> dict[str, float]: ...

    def state(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class StepCounts:
    """Training steps before an evaluation."""

    env_steps: int = 0
    gradient_steps: int = 0


def meta_train(
    recipe: Recipe, judge: Callable[[], list[Record]], steps: int, seconds: dict[str, float]
) -> Iterator[list[Record]]:
    """Iterates until the budget is spent; yields the records of every iteration.

    Evaluation times depend on steps alone, so an interrupted run evaluates at the same steps when resumed.
    """

    def timed() -> list[Record]:
        began = time.perf_counter()
        records = judge()
        seconds["eval"] += time.perf_counter() - began
        return records

    if recipe.clock == 0:
        yield timed()
    while recipe.clock < steps:
        before, began = recipe.clock, time.perf_counter()
        metrics = recipe.iterate(before / steps)
        seconds["train"] += time.perf_counter() - began
        _require_finite(metrics, recipe)
        records: list[Record] = []
        if _crosses(before, recipe.clock, steps / LINES):
            records.append(Training(recipe.env_steps, recipe.gradient_steps, metrics, dict(seconds)))
        if _crosses(before, recipe.clock, steps / CURVE):
            records += timed()
        yield records


def _crosses(before: int, after: int, stride: float) -> bool:
    return before // stride != after // stride


def _require_finite(metrics: dict[str, float], recipe: Recipe) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise Diverged(f"'{name}' became {value} after {recipe.clock} training steps")


def meta_test(
    policy: Policy,
    card: TaskCard,
    tasks: TaskSet,
    inputs: PolicyInputs,
    seed: int,
    spent: StepCounts,
    engine: Kind = "cpu",
) -> list[Evaluation]:
    """Exactly K full episodes on every task; one record for each episode index."""
    began = time.perf_counter()
    judged = partial(_judge_lanes, policy, card, tasks, inputs, seed, engine)
    # A policy that reads torch's global generator moves only ours; numbers do not depend on the threads.
    with torch.random.fork_rng(devices=[]), ThreadPoolExecutor(torch.get_num_threads()) as threads:
        scores = list(threads.map(judged, range(0, len(tasks), LANES)))
    returns, lengths, success, diverged = (
        torch.cat(columns) for columns in zip(*scores, strict=True)
    )  # [N, K]
    seconds = {"eval": time.perf_counter() - began}
    before = (lengths.cumsum(1) - lengths).sum(0)
    return [
        Evaluation(
            split=tasks.split,
            k=k + 1,
            tasks_sha256=tasks.sha256,
            env_steps=spent.env_steps,
            gradient_steps=spent.gradient_steps,
            adapt_steps=int(before[k]),
            eval_steps=int(lengths[:, k].sum()),
            returns=[round(x, 4) for x in returns[:, k].tolist()],
            lengths=_one_if_equal(lengths[:, k].tolist()),
            success=success[:, k].int().tolist() if card.reports_success else None,
            seconds=seconds,
            diverged=int(diverged[:, k].sum()),
        )
        for k in range(card.episodes)
    ]


def meta_test_each(
    policies: Sequence[Policy],
    card: TaskCard,
    tasks: TaskSet,
    inputs: PolicyInputs,
    seed: int,
    spent: StepCounts,
    trained_steps: int,
    engine: Kind = "cpu",
) -> list[Evaluation]:
    """The same with a policy for each task, which was trained on it for so many steps."""
    alone = [
        meta_test(policy, card, tasks.select(index), inputs, seed, spent, engine)
        for index, policy in enumerate(policies)
    ]
    return [_together(parts, tasks.sha256, trained_steps) for parts in zip(*alone, strict=True)]


def _together(parts: Sequence[Evaluation], sha256: str, trained_steps: int) -> Evaluation:
    """Evaluations of single tasks, joined into one."""
    successes = [flag for part in parts for flag in part.success or ()]
    return replace(
        parts[0],
        tasks_sha256=sha256,
        adapt_steps=sum(part.adapt_steps + trained_steps for part in parts),
        eval_steps=sum(part.eval_steps for part in parts),
        returns=[value for part in parts for value in part.returns],
        lengths=_one_if_equal([length for part in parts for length in part.all_lengths]),
        success=successes or None,
        seconds={"eval": sum(part.seconds["eval"] for part in parts)},
        diverged=sum(part.diverged for part in parts),
    )


def _judge_lanes(
    policy: Policy, card: TaskCard, tasks: TaskSet, inputs: PolicyInputs, seed: int, engine: Kind, first: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    chance, choice = (stream("judge", name, card.id, tasks.split, seed, first) for name in ("world", "act"))
    env = make(card, tasks[slice(first, first + LANES)], chance, engine)
    return by_episode(rollout_outcome(policy, env, choice, inputs), card.episodes)


def by_episode(trial: Outcome, episodes: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return, length, success and divergence of each lane's first K episodes, [B, K].

    Lanes that finish early start episode K + 1 while others still run. Counting those, or the first episodes to
    finish in any lane, would favour the tasks that a policy already solves.
    """
    index = trial.done.long().cumsum(1) - trial.done.long()  # [B, T], the episode a step belongs to
    index = index.clamp(max=episodes - 1)
    empty = torch.zeros(len(index), episodes)
    returns = empty.scatter_add(1, index, trial.reward.where(trial.mask, 0.0))
    lengths = empty.scatter_add(1, index, trial.mask.float()).long()
    success, diverged = (
        empty.scatter_add(1, index, (flag & trial.mask).float()) > 0
        for flag in (trial.success, trial.diverged)
    )
    return returns, lengths, success, diverged


def _one_if_equal(lengths: list[int]) -> int | list[int]:
    return lengths[0] if len(set(lengths)) == 1 else lengths
