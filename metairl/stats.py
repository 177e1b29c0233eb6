"""Means, their errors, and tests: numpy, with every generator handed in. NaN stays NaN and ranks last."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A statistic and where it lies 95 times of 100; NaN bounds where too few seeds were run to say."""

    value: float
    low: float
    high: float
    seeds: int  # the fewest that any task has
    tasks: int


def standard_error(scores: Floats) -> float:
    """Of the mean of independent scores."""
    return float(np.std(scores, ddof=1) / np.sqrt(scores.size)) if scores.size > 1 else float("nan")


def mean_over_seeds(scores: Floats, counts: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Mean and standard error of scores [seeds, tasks] where every seed met the same tasks.

    `counts` says which scores count, where some do not: every seed needs one that does.

    Two things would differ in a repetition, the tasks and the training seeds, so their variances add:
    SE² = var_tasks(mean over seeds) / tasks + var_seeds(mean over tasks) / seeds.
    """
    counts = np.ones(scores.shape, dtype=bool) if counts is None else counts
    reached = counts.any(0)  # tasks with a score that counts
    by_task = scores[:, reached].mean(0, where=counts[:, reached])
    by_seed = scores.mean(1, where=counts)
    error = standard_error(by_task) ** 2 + (standard_error(by_seed) ** 2 if len(scores) > 1 else 0.0)
    return float(scores.mean(where=counts)), float(np.sqrt(error))


def permutation_test(ours: Floats, theirs: Floats, rng: np.random.Generator, rounds: int = 10_000) -> float:
    """One-sided p-value that `ours` has the larger mean only by how the scores were dealt out."""
    pooled = np.concatenate([ours, theirs])
    observed = ours.mean() - theirs.mean()
    dealt = rng.permuted(np.tile(pooled, (rounds, 1)), axis=1)
    differences = dealt[:, : ours.size].mean(1) - dealt[:, ours.size :].mean(1)
    return float((1 + (differences >= observed - 1e-12).sum()) / (1 + rounds))


def rank(scores: dict[str, float]) -> list[str]:
    """Names from best to worst; a name whose score is NaN comes last, in the order given."""
    return sorted(scores, key=lambda name: (np.isnan(scores[name]), -np.nan_to_num(scores[name])))
