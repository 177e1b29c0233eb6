"""Nine cells of the classical bandit columns, 20,000 tasks each, against the three minutes they may take.

Whole runs are timed, records written to a disk included, as `metairl reproduce` would make them.
"""

import time
from pathlib import Path

from conftest import Note
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.experiments.request import make_request
from metairl.experiments.run import execute

ROWS = ("random", "gittins", "thompson", "ots", "ucb1", "epsilon-greedy", "greedy")
CELLS = [f"bandit-{arms}:pulls={pulls}" for pulls in (10, 100, 500) for arms in (5, 10, 50)]
LIMIT = 180.0


def test_classical_columns(benchmark: BenchmarkFixture, note: Note, tmp_path: Path) -> None:
    def table() -> float:
        began = time.perf_counter()
        for cell in CELLS:
            for row in ROWS:
                asked = make_request(row, cell)
                execute(asked, asked.folder(tmp_path), sinks=())
        return time.perf_counter() - began

    seconds = benchmark.pedantic(table, rounds=1)
    name = "classical bandit columns, nine cells / three minutes"
    assert note(name, seconds, LIMIT, goal=1.0, unit="s", better="lower") <= 1.0
