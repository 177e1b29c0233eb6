"""Statistics of scores, their errors, and tests: numpy, with every generator handed in.

    mean            Σ x / N
    median          mean of the middle one or two
    iqm             mean of the middle half: ⌊N / 4⌋ scores left out at either end (Agarwal et al. 2021)
    optimality gap  mean of top − min(x, top): what is missing to a score that is good enough

These four are of the last axis, so that resamples may lie on others. NaN stays NaN and ranks last: one
among the scores makes a statistic NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metairl.core.arrays import Floats

FEW = 5  # seeds


@dataclass(frozen=True)
class Interval:
    """A statistic and where it lies 95 times of 100; NaN bounds where too few seeds were run to say."""

    value: float
    low: float
    high: float
    seeds: int  # the fewest that any task has
    tasks: int

    @property
    def known(self) -> bool:
        """Whether there are bounds."""
        return not (np.isnan(self.low) or np.isnan(self.high))

    @property
    def few_seeds(self) -> bool:
        """So few that a view marks it: 95 in 100 is then more than such an interval can promise."""
        return self.seeds < FEW


def mean(scores: Floats) -> Floats:
    found: Floats = scores.mean(-1)
    return found


def median(scores: Floats) -> Floats:
    return _without_ends(scores, (scores.shape[-1] - 1) // 2)


def iqm(scores: Floats) -> Floats:
    return _without_ends(scores, scores.shape[-1] // 4)


def optimality_gap(scores: Floats, top: float = 1.0) -> Floats:
    """0 where every score comes to `top`; what lies above it is worth nothing more."""
    gap: Floats = top - np.minimum(scores, top).mean(-1)
    return gap


def _without_ends(scores: Floats, cut: int) -> Floats:
    """Mean of what is left once the `cut` lowest and highest are gone."""
    ordered = np.sort(scores, axis=-1)
    left: Floats = ordered[..., cut : scores.shape[-1] - cut].mean(-1)
    return np.where(np.isnan(ordered[..., -1]), np.nan, left)  # NaN sorts last


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
