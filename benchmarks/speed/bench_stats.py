"""An interval of the interquartile mean by 50,000 resamples, against rliable's, of the same scores.

Five seeds of fifty tasks, seeds drawn again within each task. Both sides do all of their own work, drawing
included, on one thread; that they find the same interval, to what chance leaves open at so many resamples,
is asked before anything is written.
"""

from pathlib import Path

import numpy as np
from conftest import Note, in_turns
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.evaluation.confidence_intervals import bootstrap
from metairl.evaluation.statistics import Interval, iqm

SEEDS, TASKS, REPETITIONS = 5, 50, 50_000
WITHIN = 0.02  # of the interval's width: four standard errors of the two ends' difference


def test_iqm_interval(benchmark: BenchmarkFixture, note: Note, tmp_path: Path) -> None:
    scores = np.random.default_rng(0).beta(2, 2, (SEEDS, TASKS))
    np.save(tmp_path / "scores.npy", scores)

    def interval() -> Interval:
        return bootstrap(list(scores.T), iqm, np.random.default_rng(1), REPETITIONS)

    def ours() -> int:
        interval()
        return 1

    rates = in_turns(ours, "rliable", 5, str(tmp_path), str(REPETITIONS))
    check_agreement(interval(), np.load(tmp_path / "peer.npz"))
    benchmark.pedantic(ours, rounds=1)
    name = "interval of the IQM, 5 seeds × 50 tasks, 50,000 resamples / rliable's"
    assert note(name, *rates, goal=5, unit="intervals/s") >= 5


def check_agreement(ours: Interval, peer: dict[str, np.ndarray]) -> None:
    width = ours.high - ours.low
    assert abs(ours.value - peer["value"]) < 1e-12
    print(f"\nours {ours.low:.4f} to {ours.high:.4f}, peer {peer['low']:.4f} to {peer['high']:.4f}")
    assert abs(ours.low - peer["low"]) < WITHIN * width
    assert abs(ours.high - peer["high"]) < WITHIN * width
