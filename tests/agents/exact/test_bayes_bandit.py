"""The Bayes-optimal value of bandits: by hand and against ordered arms."""

from functools import cache

import pytest

from metairl.agents.exact import bayes_bandit
from metairl.core.errors import UsageError


def test_bayes_optimum_by_hand() -> None:
    # Two pulls, two arms: 1/2; after a success the same arm, 2/3; after a failure the new one, 1/2: 13/12.
    # Three: after a success 4/3 (2/3, then 3/4 or 1/2), after a failure 1 (1/2, then 2/3 or 1/3): 5/3.
    assert bayes_bandit.optimal_value(1, 3) == pytest.approx(1 / 2)
    assert bayes_bandit.optimal_value(2, 2) == pytest.approx(13 / 12)
    assert bayes_bandit.optimal_value(3, 2) == pytest.approx(5 / 3)


def test_bayes_optimum_against_arms_told_apart() -> None:
    @cache
    def value(counts: tuple[tuple[int, int], ...], left: int) -> float:
        worths = [0.0]
        for i, (s, f) in enumerate(counts if left else ()):
            mean = (s + 1) / (s + f + 2)
            won, lost = ((*counts[:i], arm, *counts[i + 1 :]) for arm in ((s + 1, f), (s, f + 1)))
            worths.append(mean + mean * value(won, left - 1) + (1 - mean) * value(lost, left - 1))
        return max(worths)

    for pulls, arms in ((6, 2), (6, 3), (5, 4)):
        assert bayes_bandit.optimal_value(pulls, arms) == pytest.approx(value(((0, 0),) * arms, pulls))


def test_bayes_optimum_refuses_what_it_cannot_do() -> None:
    with pytest.raises(UsageError, match="at most 10 pulls, not 11"):
        bayes_bandit.optimal_value(11, 5)
