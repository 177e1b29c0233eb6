"""What the pages say of the committed records is so."""

from functools import cache

import numpy as np
import pytest

from metairl import catalogue
from metairl.record import Evaluation, RunFolder
from metairl.stats import permutation_test

RECORDS = catalogue.PACKAGE.parent / "results" / "records" / "mazes"
TRAINED = ("rl2", "rl2-lstm", "snail")
SMALL, LARGE = "test", "snail-maze-grid-large-v1:test"


@cache
def lengths(method: str, split: str, k: int, task: str = "snail-maze-grid-v1") -> np.ndarray:
    """Of episode k of every seed and test maze, together."""
    runs = sorted((RECORDS / method / task).iterdir())
    judged = [r for run in runs for r in RunFolder(run).records() if isinstance(r, Evaluation)]
    return np.concatenate([r.all_lengths for r in judged if (r.split, r.k) == (split, k)]).astype(float)


def longer(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The p-value of ours being longer."""
    return permutation_test(ours, theirs, np.random.default_rng(0), rounds=2000)


@pytest.mark.parametrize("method", TRAINED)
def test_the_second_episode_is_shorter(method: str) -> None:
    assert len(lengths(method, SMALL, 1)) == 3000
    assert longer(lengths(method, SMALL, 1), lengths(method, SMALL, 2)) < 0.01


@pytest.mark.parametrize("method", TRAINED)
def test_small_mazes_teach_something_about_large_ones(method: str) -> None:
    random = lengths("random", SMALL, 2, "snail-maze-grid-large-v1")
    assert longer(random, lengths(method, LARGE, 2)) < 0.01


@pytest.mark.parametrize("method", ["rl2", "snail"])
def test_in_first_person_something_is_learned(method: str) -> None:
    random, ours = (lengths(name, SMALL, 2, "snail-maze-v1") for name in ("random", method))
    assert longer(random, ours) < 0.01


def test_without_memory_the_second_episode_is_as_long_as_the_first() -> None:
    assert longer(lengths("ppo", SMALL, 1), lengths("ppo", SMALL, 2)) > 0.1
