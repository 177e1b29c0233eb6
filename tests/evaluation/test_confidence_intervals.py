"""Bootstrap intervals: by hand, by enumeration, and by how often they hold what they are to hold."""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from metairl.core.arrays import Floats
from metairl.evaluation.confidence_intervals import (
    Statistic,
    _expanded,
    _student,
    bootstrap,
    bootstrap_runs,
    differences,
    probability_of_improvement,
    profile,
    wilson,
)
from metairl.evaluation.statistics import Interval, iqm, mean, optimality_gap

Draw = Callable[[np.random.Generator, int], list[Floats]]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_strata(*counts: int) -> list[Floats]:
    chance = rng(7)
    return [task + chance.normal(size=count) for task, count in enumerate(counts)]


def same(found: Interval, bounds: tuple[float, float], within: float) -> bool:
    return np.allclose([found.low, found.high], bounds, rtol=0, atol=within)


def test_all_resamples_of_two_small_tasks() -> None:
    """27 × 27 repetitions are all there are: the interval is that of the whole list."""
    strata = [np.array([0.0, 1.0, 5.0]), np.array([2.0, 3.0, 10.0])]
    every = [np.mean([*x, *y]) for x in product(strata[0], repeat=3) for y in product(strata[1], repeat=3)]
    found = bootstrap(strata, mean, rng(), level=0.8)
    assert found.value == 3.5 and (found.seeds, found.tasks) == (3, 2)
    assert same(found, tuple(np.quantile(every, [0.1, 0.9])), 0.17)  # the next mean is 1/6 away


def test_scores_stay_in_their_task() -> None:
    """Tasks far apart, each without spread: nothing differs between repetitions but the tasks drawn."""
    strata = [np.full(4, 0.0), np.full(4, 1.0)]
    assert same(bootstrap(strata, mean, rng()), (0.5, 0.5), 0)
    assert same(bootstrap(strata, mean, rng(), over_tasks=True), (0.0, 1.0), 0)


def test_runs_are_drawn_whole() -> None:
    """What is good for a run on one task is as bad on another: only whole runs keep the mean where it is."""
    luck = np.array([1.0, -1.0, 2.0, -2.0])
    assert same(bootstrap([luck, -luck], mean, rng(), same_runs=True), (0.0, 0.0), 1e-12)
    assert bootstrap([luck, -luck], mean, rng()).high > 0.5
    alike = bootstrap([luck, luck], mean, rng(), same_runs=True)
    alone = bootstrap([luck], mean, rng())
    assert same(alike, (alone.low, alone.high), 0.05)


def test_runs_that_not_all_tasks_have_are_not_drawn_whole() -> None:
    with pytest.raises(ValueError, match="whole"):
        bootstrap(some_strata(3, 4), mean, rng(), same_runs=True)


@pytest.mark.parametrize("over_tasks", [False, True])
def test_uneven_tasks_are_drawn_by_the_same_rule(over_tasks: bool) -> None:
    """As one would draw them, repetition by repetition."""
    strata, chance = some_strata(3, 5, 4), rng(1)
    means = []
    for _ in range(4000):
        tasks = chance.integers(3, size=3) if over_tasks else range(3)
        means.append(np.mean(np.concatenate([chance.choice(strata[i], len(strata[i])) for i in tasks])))
    found = bootstrap(strata, mean, rng(), over_tasks=over_tasks)
    assert found.value == pytest.approx(np.concatenate(strata).mean()) and found.seeds == 3
    assert same(found, tuple(np.quantile(means, [0.025, 0.975])), 0.06)


def test_even_and_uneven_tasks_agree() -> None:
    """Twenty seeds and twenty-one of nearly the same scores."""
    strata = some_strata(20, 20, 20)
    uneven = [*strata[:2], np.append(strata[2], np.median(strata[2]))]
    even = bootstrap(strata, iqm, rng())
    assert same(bootstrap(uneven, iqm, rng()), (even.low, even.high), 0.05)


@pytest.mark.parametrize("strata", [some_strata(5, 5), some_strata(5, 4)])
def test_the_same_seed_gives_the_same_bytes(strata: list[Floats]) -> None:
    first, again = (bootstrap(strata, iqm, rng(3), 3000) for _ in range(2))
    assert np.array([first.low, first.high]).tobytes() == np.array([again.low, again.high]).tobytes()
    assert bootstrap(strata, iqm, rng(4), 3000) != first


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap(some_strata(5, 5), iqm, rng())
    monkeypatch.setattr("metairl.evaluation.confidence_intervals.AT_ONCE", 1000)
    assert same(bootstrap(some_strata(5, 5), iqm, rng()), (whole.low, whole.high), 0.02)


@pytest.mark.parametrize("seeds, known", [(1, False), (2, False), (3, True)])
def test_too_few_seeds_have_a_value_and_no_bounds(seeds: int, known: bool) -> None:
    found = bootstrap(some_strata(5, seeds), mean, rng())
    assert found.known is known and not np.isnan(found.value) and found.seeds == seeds
    assert probability_of_improvement(some_strata(5, seeds), some_strata(5, 5), rng()).known is known


def test_a_score_that_is_nan_or_missing_is_not_left_out() -> None:
    broken = [np.array([1.0, np.nan, 2.0]), np.ones(3)]
    for strata in (broken, [np.ones(3), np.array([])]):
        found = bootstrap(strata, iqm, rng())
        assert np.isnan(found.value) and not found.known
        assert np.isnan(profile(strata, np.array([0.5]), rng()).share).all()
        found = probability_of_improvement(strata, some_strata(3, 3), rng())
        assert np.isnan(found.value) and not found.known


@settings(max_examples=30)
@given(
    counts=st.lists(st.integers(3, 6), min_size=1, max_size=4),
    over_tasks=st.booleans(),
    expanded=st.booleans(),
    seed=st.integers(0, 99),
)
def test_bounds_are_scores_that_can_be(
    counts: list[int], over_tasks: bool, expanded: bool, seed: int
) -> None:
    strata = some_strata(*counts)
    how = {"over_tasks": over_tasks, "expanded": expanded}
    found = bootstrap(strata, iqm, rng(seed), 500, **how)
    every = np.concatenate(strata)
    assert every.min() - 1e-9 <= found.low <= found.high <= every.max() + 1e-9
    moved = bootstrap([2 * scores + 3 for scores in strata], iqm, rng(seed), 500, **how)
    assert same(moved, (2 * found.low + 3, 2 * found.high + 3), 1e-9)


def test_a_statistic_may_have_a_setting() -> None:
    found = bootstrap(some_strata(5, 5), partial(optimality_gap, top=2.0), rng())
    assert found.low < found.value < found.high


def test_expanded_tails_by_hand() -> None:
    # Ten scores of one task: √(10 / 9) · t₉(0.975) = 1.0541 · 2.2622 = 2.3845, and Φ(−2.3845) = 0.00855.
    assert _expanded(0.95, 10, 1) == pytest.approx(0.00855, abs=1e-5)
    assert _expanded(0.95, 10**6, 1) == pytest.approx(0.025, abs=1e-5)
    assert _expanded(0.95, 1, 1) == 0


@pytest.mark.parametrize("drawn, groups", [(5, 1), (10, 1), (15, 5), (50, 5)])
def test_expanded_tails_against_scipy(drawn: int, groups: int) -> None:
    freedom = drawn - groups
    tail = norm.cdf(-np.sqrt(drawn / freedom) * t.ppf(0.975, freedom))
    assert _expanded(0.95, drawn, groups) == pytest.approx(tail, rel=0.02)


@pytest.mark.parametrize("freedom", [2, 3, 9, 30])
@pytest.mark.parametrize("chance", [0.9, 0.975])
def test_students_t_against_scipy(freedom: int, chance: float) -> None:
    assert _student(chance, freedom) == pytest.approx(t.ppf(chance, freedom), rel=0.01)


def test_which_draws_are_scarce() -> None:
    """Drawn whole, or over tasks, there is less to draw from, so tails reach further."""
    strata = some_strata(*[10] * 5)
    apart, whole = (bootstrap(strata, mean, rng(), expanded=True, same_runs=flag) for flag in (False, True))
    plain = [bootstrap(strata, mean, rng(), same_runs=flag) for flag in (False, True)]
    grown = [(e.high - e.low) / (p.high - p.low) for e, p in zip((apart, whole), plain, strict=True)]
    assert grown[0] == pytest.approx(np.sqrt(50 / 45) * t.ppf(0.975, 45) / 1.96, rel=0.02)
    assert grown[1] == pytest.approx(np.sqrt(10 / 9) * t.ppf(0.975, 9) / 1.96, rel=0.05)


def test_runs_of_several_columns_are_drawn_whole_within_their_training() -> None:
    """One column a block is the stratified bootstrap; a second one that says the same makes nothing surer."""
    one, two = np.array([1.0, 2.0, 4.0, 7.0]), np.array([0.0, 3.0, 3.0, 9.0])
    apart = bootstrap_runs([one[:, None], two[:, None]], mean, rng())
    plain = bootstrap([one, two], mean, rng(1), expanded=True)
    assert apart.value == plain.value and same(apart, (plain.low, plain.high), 0.13)
    doubled = bootstrap_runs([np.stack([one, one], axis=1)], mean, rng())
    alone = bootstrap_runs([one[:, None]], mean, rng())
    assert (doubled.low, doubled.high, doubled.tasks) == (alone.low, alone.high, 2)
    narrow = bootstrap([one, one], mean, rng(), expanded=True)
    assert narrow.high - narrow.low < 0.8 * (doubled.high - doubled.low)


def test_two_runs_have_a_value_and_no_bounds() -> None:
    found = bootstrap_runs([np.ones((2, 3))], mean, rng())
    assert found.value == 1 and np.isnan(found.low) and (found.seeds, found.tasks) == (2, 3)


def test_a_profile_by_hand() -> None:
    strata = [np.array([0.0, 0.5, 1.0]), np.array([0.5, 0.5, 2.0])]
    found = profile(strata, np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), rng())
    np.testing.assert_allclose(found.share, [1, 5 / 6, 2 / 6, 1 / 6, 0])
    assert (found.low <= found.share).all() and (found.share <= found.high).all()
    assert found.low[0] == found.high[0] == 1  # every score is above −1 in every repetition


def test_a_profile_falls() -> None:
    found = profile(some_strata(5, 4, 6), np.linspace(-2, 4, 30), rng())
    for line in (found.share, found.low, found.high):
        assert (np.diff(line) <= 0).all()


def test_improvement_by_hand() -> None:
    # First task: 2 beats 1, ties 2 and loses to 3: 1.5 of 3; 4 beats all three. 4.5 of 6 pairs. Second: 0.
    ours, theirs = [np.array([2.0, 4.0]), np.zeros(3)], [np.array([1.0, 2.0, 3.0]), np.ones(4)]
    assert probability_of_improvement(ours, theirs, rng()).value == 0.75 / 2


def test_improvement_on_oneself_is_half_and_sides_add_to_one() -> None:
    ours, theirs = some_strata(5, 6), [scores + 0.3 for scores in some_strata(4, 5)]
    assert probability_of_improvement(ours, ours, rng()).value == 0.5
    there, back = (
        probability_of_improvement(ours, theirs, rng()),
        probability_of_improvement(theirs, ours, rng()),
    )
    assert there.value + back.value == pytest.approx(1)
    assert same(there, (1 - back.high, 1 - back.low), 0.03)


def test_improvement_is_drawn_seed_by_seed() -> None:
    ours, theirs, chance = some_strata(4, 5), some_strata(3, 6), rng(2)
    drawn = []
    for _ in range(3000):
        pairs = [
            (chance.choice(x, len(x)), chance.choice(y, len(y))) for x, y in zip(ours, theirs, strict=True)
        ]
        drawn.append(np.mean([(x[:, None] > y).mean() + (x[:, None] == y).mean() / 2 for x, y in pairs]))
    found = probability_of_improvement(ours, theirs, rng())
    assert same(found, tuple(np.quantile(drawn, [0.025, 0.975])), 0.03)


def test_pairs_cancel_what_both_share() -> None:
    envs = [10 * scores for scores in some_strata(6, 6)]
    gaps = differences([scores + 1 for scores in envs], envs)
    assert same(bootstrap(gaps, mean, rng()), (1.0, 1.0), 1e-9)
    with pytest.raises(ValueError, match="paired"):
        differences(envs, envs[:1])


def test_wilson_by_hand() -> None:
    # p = ½, n = 10, z² = 3.8415: middle 0.5 + 0.1921 = 0.6921, reach 1.96 √(0.025 + 0.0096) = 0.3646,
    # both over 1.3841.
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert np.isnan(wilson(0, 0)).all()


LEVELS, SPREADS = np.linspace(0.2, 0.9, 5), np.linspace(0.05, 0.15, 5)
AROUND_ZERO = np.linspace(-1, 1, 20)  # twenty tasks


def normal(chance: np.random.Generator, seeds: int) -> list[Floats]:
    return [m + s * chance.standard_normal(seeds) for m, s in zip(LEVELS, SPREADS, strict=True)]


def skewed(chance: np.random.Generator, seeds: int) -> list[Floats]:
    return [m + 0.3 * chance.exponential(size=seeds) for m in LEVELS]


def successes(chance: np.random.Generator, seeds: int) -> list[Floats]:
    """Of fifty episodes."""
    return [chance.binomial(50, m, seeds) / 50 for m in LEVELS]


def all_or_nothing(chance: np.random.Generator, seeds: int) -> list[Floats]:
    """Runs that learn the task or do not."""
    return [0.8 * (chance.random(seeds) < m) + 0.1 * chance.standard_normal(seeds) for m in LEVELS]


def lucky_runs(chance: np.random.Generator, seeds: int) -> list[Floats]:
    """A run is good or bad on all tasks, half of its variance at least."""
    luck = 0.5 * chance.standard_normal(seeds)
    return [m + luck + 0.5 * chance.standard_normal(seeds) for m in AROUND_ZERO]


def drawn_tasks(chance: np.random.Generator, seeds: int) -> list[Floats]:
    return [chance.standard_normal() + 0.3 * chance.standard_normal(seeds) for _ in AROUND_ZERO]


def lucky_runs_on_drawn_tasks(chance: np.random.Generator, seeds: int) -> list[Floats]:
    luck = 0.3 * chance.standard_normal(seeds)
    return [scores + luck for scores in drawn_tasks(chance, seeds)]


def truth(draw: Draw, statistic: Statistic) -> float:
    if draw in (lucky_runs, drawn_tasks, lucky_runs_on_drawn_tasks):
        return 0.0  # by symmetry
    return float(statistic(np.concatenate(draw(rng(12), 1_000_000))))


def coverage(
    draw: Draw, statistic: Statistic, seeds: int, repeated: int, resamples: int, **how: bool
) -> list[float]:
    """Per cent of repeated experiments whose 95 % interval holds the truth, plain and expanded."""
    chance, held, true = rng(11), np.zeros(2), truth(draw, statistic)
    for _ in range(repeated):
        strata = draw(chance, seeds)
        intervals = [
            bootstrap(strata, statistic, chance, resamples, expanded=expanded, **how)
            for expanded in (False, True)
        ]
        held += [interval.low <= true <= interval.high for interval in intervals]
    return list(100 * held / repeated)


@pytest.mark.parametrize("statistic", [iqm, mean])
def test_expanded_intervals_of_ten_seeds_hold_the_truth(statistic: Statistic) -> None:
    """Fewer than the slow test repeats: ±1.5 is three standard errors of 2,000."""
    plain, expanded = coverage(normal, statistic, seeds=10, repeated=2000, resamples=1000)
    assert plain < expanded
    assert 93.5 <= expanded <= 96.5


@pytest.mark.slow
@pytest.mark.parametrize("draw", [normal, skewed, successes, all_or_nothing])
@pytest.mark.parametrize("statistic", [iqm, mean])
@pytest.mark.parametrize("seeds", [5, 10])
def test_coverage(draw: Draw, statistic: Statistic, seeds: int) -> None:
    """The figures of docs/statistics.md; run this file with `pytest -m slow -s` to print them."""
    plain, expanded = coverage(draw, statistic, seeds, repeated=10_000, resamples=5000)
    print(f"\n{statistic.__name__}, {draw.__name__}, {seeds} seeds: {plain:.1f} {expanded:.1f}")
    if seeds == 10:
        assert 93.5 <= expanded <= 96.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw, how",
    [
        (lucky_runs, {"same_runs": True}),
        (drawn_tasks, {"over_tasks": True}),
        (lucky_runs_on_drawn_tasks, {"same_runs": True, "over_tasks": True}),
    ],
)
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_coverage_of_runs_and_tasks_drawn_whole(draw: Draw, how: dict[str, bool], seeds: int) -> None:
    """No resample of three whole runs leaves their range, and that holds a mean in 3 of 4 experiments."""
    plain, expanded = coverage(draw, mean, seeds, repeated=3000, resamples=1000, **how)
    print(f"\nmean, {draw.__name__}, {seeds} seeds: {plain:.1f} {expanded:.1f}")
    if seeds == 3 and draw is lucky_runs:
        assert plain <= expanded == pytest.approx(75, abs=2.5)
    if seeds == 10:
        assert plain < expanded and 93 <= expanded <= 99
