"""Statistics of scores: numbers worked by hand, and what holds for any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import trim_mean

from metairl.core.arrays import Floats
from metairl.evaluation import statistics
from metairl.evaluation.statistics import Interval

STATISTICS = (statistics.mean, statistics.median, statistics.iqm, statistics.optimality_gap)
scores = arrays(np.float64, st.integers(1, 40), elements=st.floats(-100, 100))


def test_statistics_by_hand() -> None:
    # Eight scores, two left out at either end: 3 + 4 + 5 + 9 = 21. To a top of 5 they lack 4 3 2 1 = 10.
    x = np.array([9.0, 1.0, 100.0, 2.0, 4.0, 3.0, 50.0, 5.0])
    assert statistics.iqm(x) == 21 / 4
    assert statistics.median(x) == 4.5
    assert statistics.mean(x) == 174 / 8
    assert statistics.optimality_gap(x, 5.0) == 10 / 8


def test_an_odd_number_has_one_median() -> None:
    assert statistics.median(np.array([3.0, 1.0, 2.0])) == 2


@given(scores)
def test_iqm_is_the_trimmed_mean(x: Floats) -> None:
    assert statistics.iqm(x) == pytest.approx(trim_mean(x, 0.25), abs=1e-9)


@given(scores)
def test_median_is_numpys(x: Floats) -> None:
    assert statistics.median(x) == pytest.approx(np.median(x), abs=1e-9)


@pytest.mark.parametrize("statistic", STATISTICS)
@given(x=scores, seed=st.integers(0, 9))
def test_order_does_not_matter_and_bounds_hold(statistic, x: Floats, seed: int) -> None:
    found = statistic(x)
    assert statistic(np.random.default_rng(seed).permutation(x)) == pytest.approx(found, abs=1e-9)
    seen = 1 - np.minimum(x, 1) if statistic is statistics.optimality_gap else x
    assert seen.min() - 1e-9 <= found <= seen.max() + 1e-9


@pytest.mark.parametrize("statistic", STATISTICS)
def test_resamples_lie_on_other_axes(statistic) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 11))
    found = statistic(x)
    assert found.shape == (3, 4)
    assert found[2, 1] == statistic(x[2, 1])


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_nan_is_not_left_out_with_the_ends(statistic) -> None:
    x = np.array([[1.0, 2.0, 3.0, 4.0, np.nan], [1.0, 2.0, 3.0, 4.0, 5.0]])
    assert list(np.isnan(statistic(x))) == [True, False]


def test_an_interval_says_what_it_lacks() -> None:
    nan = float("nan")
    assert Interval(1.0, 0.5, 1.5, seeds=5, tasks=1).known
    assert not Interval(1.0, nan, nan, seeds=2, tasks=1).known
    assert Interval(1.0, 0.5, 1.5, seeds=4, tasks=1).few_seeds
    assert not Interval(1.0, 0.5, 1.5, seeds=5, tasks=1).few_seeds
