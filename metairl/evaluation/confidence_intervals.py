"""How sure a statistic is: what it would be in other repetitions of the experiment, by the bootstrap.

    repetition   every task's n scores drawn again from its own n, with replacement (stratified)
    interval     the a and 1 − a quantiles of the statistic over repetitions, a = (1 − level) / 2
    expanded     those of a′ in place of a,  a′ = Φ(−√(N / ν) t_ν(a))  (Hesterberg 2015),
                 N what is drawn independently, ν = N − the groups it is drawn within

The plain interval is Agarwal et al.'s (2021), and too narrow for few seeds: resamples vary by (n − 1) / n of
the variance, and their quantiles are a normal's where Student's t are due. The expanded one mends both in the
tails alone, so it stays inside of what scores can be. docs/statistics.md has the coverage of both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from metairl.core.arrays import Floats
from metairl.evaluation.statistics import Interval

Statistic = Callable[[Floats], Floats]  # of the last axis, [..., scores] → [...]
Integers = NDArray[np.integer]
ENOUGH = 3  # seeds, for bounds at all
AT_ONCE = 2_000_000  # scores that are drawn at once: some 100 MB with what is made of them


@dataclass(frozen=True)
class Profile:
    """Which share of scores lies above each threshold, and where that share lies."""

    thresholds: Floats
    share: Floats
    low: Floats
    high: Floats


def bootstrap(
    strata: Sequence[Floats],
    statistic: Statistic,
    rng: np.random.Generator,
    repetitions: int = 50_000,
    level: float = 0.95,
    over_tasks: bool = False,
    same_runs: bool = False,
    expanded: bool = False,
) -> Interval:
    """Of a statistic of all scores of all tasks together; `strata` holds one task's scores each, a seed each.

    As it is: every task had runs of its own, and the tasks are those that matter. Tasks may differ in seeds.

    With `same_runs`: score i of every task is of run i, one training judged on many tasks (`scores.T` of
    scores [seeds, tasks]). What is lucky for a run is so on all tasks, so runs are drawn whole.

    With `over_tasks` the tasks are drawn too: right where they stand for others of their kind.

    No bounds where a task has fewer than three seeds.
    """
    made = _Experiment(strata, over_tasks, same_runs)
    value = float(statistic(made.scores)) if made.complete else float("nan")
    low, high = float("nan"), float("nan")
    if made.complete and made.seeds >= ENOUGH:
        tail = _expanded(level, *made.independent) if expanded else (1 - level) / 2
        low, high = map(float, np.quantile(made.repeated(statistic, rng, repetitions), [tail, 1 - tail]))
    return Interval(value, low, high, made.seeds, len(strata))


def bootstrap_runs(
    blocks: Sequence[Floats],
    statistic: Statistic,
    rng: np.random.Generator,
    repetitions: int = 50_000,
    level: float = 0.95,
) -> Interval:
    """Of all scores together, where a block holds the runs of one training, [seeds, columns judged].

    Runs are drawn whole within their block, so that a lucky one is lucky in all of its columns; expanded.
    """
    seeds, columns = min(map(len, blocks)), sum(block.shape[1] for block in blocks)
    flat = np.concatenate([block.ravel() for block in blocks])
    if seeds == 0 or np.isnan(flat).any():
        return Interval(float("nan"), float("nan"), float("nan"), seeds, columns)
    low, high = float("nan"), float("nan")
    if seeds >= ENOUGH:
        most = max(1, AT_ONCE // flat.size)
        parts = [min(most, repetitions - first) for first in range(0, repetitions, most)]
        found = np.concatenate([statistic(_runs_again(blocks, rng, part)) for part in parts])
        tail = _expanded(level, sum(map(len, blocks)), len(blocks))
        low, high = map(float, np.quantile(found, [tail, 1 - tail]))
    return Interval(float(statistic(flat)), low, high, seeds, columns)


def profile(
    strata: Sequence[Floats],
    thresholds: Floats,
    rng: np.random.Generator,
    repetitions: int = 2_000,
    level: float = 0.95,
) -> Profile:
    """Share of all scores above each threshold; a band is of its own threshold, not of all at once."""
    made, statistic = _Experiment(strata), partial(_shares_above, thresholds=thresholds)
    share = low = high = np.full(thresholds.size, np.nan)
    if made.complete:
        share = statistic(made.scores)
    if made.complete and made.seeds >= ENOUGH:
        found = made.repeated(statistic, rng, repetitions)
        low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Profile(thresholds, share, low, high)


def probability_of_improvement(
    ours: Sequence[Floats],
    theirs: Sequence[Floats],
    rng: np.random.Generator,
    repetitions: int = 50_000,
    level: float = 0.95,
) -> Interval:
    """That a run of ours beats one of theirs on a task of these, a tie being half; the mean over tasks of

    P = Σ_ij (1(x_i > y_j) + 1(x_i = y_j) / 2) / (n m)
    """
    seeds = min(map(len, [*ours, *theirs]))
    if seeds == 0 or any(np.isnan(scores).any() for scores in (*ours, *theirs)):
        return Interval(float("nan"), float("nan"), float("nan"), seeds, len(ours))
    beats = [_beats(x, y) for x, y in zip(ours, theirs, strict=True)]
    value = float(np.mean([chances.mean() for chances in beats]))
    low, high = float("nan"), float("nan")
    if seeds >= ENOUGH:
        found = np.mean([_chances_again(chances, rng, repetitions) for chances in beats], axis=0)
        low, high = map(float, np.quantile(found, [(1 - level) / 2, (1 + level) / 2]))
    return Interval(value, low, high, seeds, len(ours))


def differences(ours: Sequence[Floats], theirs: Sequence[Floats]) -> list[Floats]:
    """Strata to bootstrap of two rows whose score i of a task is of the same seed and the same worlds.

    What is hard for both cancels, so a paired difference is surer than the difference of two intervals.
    """
    if [len(x) for x in ours] != [len(y) for y in theirs]:
        raise ValueError("only rows with the same tasks and the same seeds can be paired")
    return [x - y for x, y in zip(ours, theirs, strict=True)]


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Where a chance lies, from independent successes (Wilson 1927).

    (p + z² / 2n ± z √(p (1 − p) / n + z² / 4n²)) / (1 + z² / n)

    Episodes of one trained policy are no independent runs: this is of that policy, not of its method.
    """
    if trials == 0:
        return float("nan"), float("nan")
    z, p = NormalDist().inv_cdf((1 + level) / 2), successes / trials
    middle = p + z**2 / (2 * trials)
    reach = z * (p * (1 - p) / trials + z**2 / (4 * trials**2)) ** 0.5
    scale = 1 + z**2 / trials
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


@dataclass(frozen=True)
class _Experiment:
    """Scores by task, and what would differ if they were made again."""

    strata: Sequence[Floats]
    over_tasks: bool = False
    same_runs: bool = False

    @cached_property
    def counts(self) -> Integers:
        return np.array([len(scores) for scores in self.strata])

    @cached_property
    def scores(self) -> Floats:
        return np.concatenate(self.strata)

    @property
    def seeds(self) -> int:
        return int(self.counts.min())

    @property
    def complete(self) -> bool:
        return self.seeds > 0 and not np.isnan(self.scores).any()

    @property
    def independent(self) -> tuple[int, int]:
        """How many things are drawn, and within how many groups: the scarcer, where runs and tasks are."""
        runs = (self.seeds, 1) if self.same_runs else (self.scores.size, self.counts.size)
        tasks = (self.counts.size, 1)
        return min(runs, tasks, key=lambda pair: pair[0] - pair[1]) if self.over_tasks else runs

    def repeated(self, statistic: Statistic, rng: np.random.Generator, repetitions: int) -> Floats:
        """The statistic in every repetition, in an order that means nothing."""
        most = max(1, AT_ONCE // (self.counts.size * int(self.counts.max())))
        parts = [min(most, repetitions - first) for first in range(0, repetitions, most)]
        return np.concatenate([statistic(scores) for part in parts for scores in self._again(rng, part)])

    def _again(self, rng: np.random.Generator, repetitions: int) -> Iterator[Floats]:
        """All scores of each repetition, [R, N]; those with another N apart, as tasks may differ in seeds."""
        tasks = np.broadcast_to(np.arange(self.counts.size), (repetitions, self.counts.size))
        if self.over_tasks:
            tasks = rng.integers(self.counts.size, size=tasks.shape)
        firsts = (np.cumsum(self.counts) - self.counts)[tasks]
        if self.seeds == self.counts.max():
            yield self.scores[firsts[..., None] + self._seeds(rng, repetitions)].reshape(repetitions, -1)
        elif self.same_runs:
            raise ValueError("runs can only be drawn whole where every task has all of them")
        else:
            yield from self._uneven(rng, firsts, self.counts[tasks])

    def _seeds(self, rng: np.random.Generator, repetitions: int) -> Integers:
        """[R, tasks, seeds], where all tasks have as many; small integers are drawn several times as fast."""
        shape = (repetitions, 1 if self.same_runs else self.counts.size, self.seeds)
        found: Integers = rng.integers(
            self.seeds, size=shape, dtype=np.uint8 if self.seeds < 256 else np.uint32
        )
        return found

    def _uneven(self, rng: np.random.Generator, firsts: Integers, counts: Integers) -> Iterator[Floats]:
        most, sizes = int(counts.max()), counts.sum(1)
        drawn = self.scores[firsts[..., None] + rng.integers(counts[..., None], size=(*counts.shape, most))]
        counted = np.arange(most) < counts[..., None]
        for size in np.unique(sizes):
            alike = sizes == size
            yield drawn[alike][counted[alike]].reshape(-1, size)


def _runs_again(blocks: Sequence[Floats], rng: np.random.Generator, repetitions: int) -> Floats:
    """All scores of each repetition, [R, N]."""
    drawn = [block[rng.integers(len(block), size=(repetitions, len(block)))] for block in blocks]
    return np.concatenate([scores.reshape(repetitions, -1) for scores in drawn], axis=1)


def _expanded(level: float, drawn: int, groups: int) -> float:
    """a′; 0, the whole range, where nothing is left to vary."""
    freedom = drawn - groups
    if freedom == 0:
        return 0.0
    return NormalDist().cdf(-((drawn / freedom) ** 0.5) * _student((1 + level) / 2, freedom))


def _student(chance: float, freedom: float) -> float:
    """Quantile of Student's t, to 1 % from two degrees of freedom on (Abramowitz & Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(chance)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))


def _shares_above(scores: Floats, thresholds: Floats) -> Floats:
    """[..., thresholds]"""
    return np.stack([(scores > threshold).mean(-1) for threshold in thresholds], axis=-1)


def _beats(x: Floats, y: Floats) -> Floats:
    """[n, m]: 1 where x_i > y_j, ½ where they are equal."""
    return (np.sign(x[:, None] - y) + 1) / 2


def _chances_again(beats: Floats, rng: np.random.Generator, repetitions: int) -> Floats:
    """P of one task where the seeds of both sides are drawn again, by how often each one is, [R]."""
    x, y = (rng.multinomial(n, np.full(n, 1 / n), repetitions) for n in beats.shape)
    found: Floats = ((x @ beats) * y).sum(1) / beats.size
    return found
