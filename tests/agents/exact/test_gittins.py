"""Gittins indices: by hand, monotone, and against plain recursion."""

import pytest

from metairl.agents.exact import gittins


def index(wins: int, pulls: int, remaining: int, horizon: int) -> float:
    first, table = gittins.index_table(horizon)
    return float(table[first[remaining] + pulls * (pulls + 1) // 2 + wins])


def test_gittins_by_hand() -> None:
    # One pull to go: its mean. Two, nothing known: 1/2 + 1/2 · 2/3 + λ/2 = 2 λ, so λ = 5/9.
    assert index(3, 4, 1, 10) == pytest.approx(4 / 6, abs=1e-3)
    assert index(0, 0, 2, 2) == pytest.approx(5 / 9, abs=1e-3)


def test_gittins_grows_with_the_horizon_and_falls_with_failures() -> None:
    longer = [index(1, 2, remaining, 40) for remaining in range(1, 38)]
    assert longer == sorted(longer)
    worse = [index(1, 1 + failures, 20, 40) for failures in range(10)]
    assert worse == sorted(worse, reverse=True)


def test_gittins_against_plain_recursion() -> None:
    def gain(s: int, f: int, left: int, rate: float) -> float:
        mean = (1 + s) / (2 + s + f)
        after = [
            max(0.0, gain(*arm, left - 1, rate)) if left > 1 else 0.0 for arm in ((s + 1, f), (s, f + 1))
        ]
        return mean - rate + mean * after[0] + (1 - mean) * after[1]

    for s, f, left in ((0, 0, 6), (2, 1, 5), (0, 3, 6)):
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if gain(s, f, left, middle) > 0 else (low, middle)
        assert index(s, s + f, left, s + f + left) == pytest.approx(low, abs=2e-3)
