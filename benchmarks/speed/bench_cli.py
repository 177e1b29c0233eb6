"""`metairl --help` as a whole process, against half a second."""

import statistics
import subprocess
import sys
import time

from conftest import Note
from pytest_benchmark.fixture import BenchmarkFixture

LIMIT = 0.5


def test_help(benchmark: BenchmarkFixture, note: Note) -> None:
    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "metairl", "--help"], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    median = statistics.median(seconds() for _ in range(7))
    benchmark.pedantic(seconds, rounds=1)
    name = "metairl --help / half a second"
    assert note(name, median, LIMIT, goal=1.0, unit="s", better="lower") <= 1.0
