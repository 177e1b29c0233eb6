"""A fleet's overhead: 64 runs of ten seconds on two workers, against the work itself shared out evenly.

    ours     seconds from the call to the last row
    peer     seconds that the runs took themselves, as they measured them, / 2

A run is a real one, claimed, judged and recorded by the fleet's own worker, that then sleeps until its ten
seconds are over: so other work on this machine stretches neither side, and what is left between the two is
what a fleet costs. Sleeping leaves the controller the cores, so its own CPU time is noted as well.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Note
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.experiments.fleet import worker
from metairl.experiments.fleet.crew import Crew, Local
from metairl.experiments.fleet.fleet import Fleet
from metairl.experiments.fleet.jobs import jobs_of, planned
from metairl.experiments.fleet.on_ray import OnRay
from metairl.experiments.request import make_request

RUNS, SECONDS, WORKERS = 64, 10.0, 2
LOCAL, RAY = 1.15, 1.35  # × the ideal
MEMORY = 300  # MB of a controller with a thousand planned runs
TOOK = "took.txt"


def stretched(path: Path, threads: int) -> int:
    """A worker's work, that ends no sooner than its time."""
    began = time.monotonic()
    code = worker.work(path, threads)
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    (path / TOOK).write_text(str(time.monotonic() - began))
    return code


def in_a_process(path: Path, threads: int, log: Path) -> None:
    os._exit(stretched(path, threads))


def as_task(path: str, threads: int, log: str) -> int:
    return stretched(Path(path), threads)


def overhead(make: Callable[[], Crew], root: Path) -> tuple[float, float]:
    jobs = jobs_of((make_request("greedy", "bandit-5:pulls=3", seed=seed) for seed in range(RUNS)), root)
    began, spent = time.monotonic(), time.process_time()
    rows = Fleet(make()).sail(planned(jobs))
    seconds = time.monotonic() - began
    assert all(row.state == "completed" and row.tries == 1 for row in rows)
    print(f"\nCPU of the controller: {time.process_time() - spent:.1f} s of {seconds:.1f} s")
    return seconds, sum(float((job.path / TOOK).read_text()) for job in jobs) / WORKERS


def test_local(
    benchmark: BenchmarkFixture, note: Note, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metairl.experiments.fleet.crew.main", in_a_process)
    ours, ideal = benchmark.pedantic(lambda: overhead(lambda: Local(WORKERS, 1), tmp_path), rounds=1)
    name = f"fleet of {RUNS} runs of {SECONDS:g} s, {WORKERS} processes / the work shared out"
    assert note(name, ours, ideal, goal=LOCAL, unit="s", better="lower") <= LOCAL


def test_ray(
    benchmark: BenchmarkFixture, note: Note, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    monkeypatch.setattr("metairl.experiments.fleet.on_ray.as_task", as_task)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    crew = lambda: OnRay(None, WORKERS, 1)  # noqa: E731
    ours, ideal = benchmark.pedantic(lambda: overhead(crew, tmp_path), rounds=1)
    name = f"fleet of {RUNS} runs of {SECONDS:g} s, Ray / the work shared out"
    assert note(name, ours, ideal, goal=RAY, unit="s", better="lower") <= RAY


CONTROLLER = """
import sys
from pathlib import Path

from metairl.experiments.fleet.crew import Local
from metairl.experiments.fleet.fleet import Fleet
from metairl.experiments.fleet.jobs import jobs_of, planned
from metairl.experiments.fleet.view import View
from metairl.experiments.request import request

class Enough(Exception): ...

def memory(name, file="/proc/self/status"):
    lines = Path(file).read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(name))

def main():
    before = memory("VmHWM:")
    asked = [request("rl2", "bandit-5:pulls=10", None, seed, 5_000) for seed in range(1000)]
    looks, view = [], View()
    def watch(rows):
        view(rows)
        looks.append(len(rows))
        if sum(row.state == "completed" for row in rows) >= 4:
            raise Enough
    try:
        Fleet(Local(2, 1), watch=watch).sail(planned(jobs_of(asked, Path(sys.argv[1]))))
    except Enough:
        pass
    print(before, memory("VmHWM:"), memory("Private_", "/proc/self/smaps_rollup"))

if __name__ == "__main__":
    main()
"""


def test_memory_of_a_controller(benchmark: BenchmarkFixture, note: Note, tmp_path: Path) -> None:
    """Private: what the machine would have back; most of what is resident besides is torch's code."""
    (tmp_path / "controller.py").write_text(CONTROLLER)
    words = [sys.executable, str(tmp_path / "controller.py"), str(tmp_path / "runs")]
    done = benchmark.pedantic(
        lambda: subprocess.run(words, capture_output=True, text=True, check=True), rounds=1
    )
    before, peak, private = (int(word) / 1024 for word in done.stdout.split())
    print(f"\npeak resident {peak:.0f} MB ({before:.0f} before the plan), private {private:.0f} MB")
    name = "controller of 1,000 planned runs, private memory / 300 MB"
    assert note(name, private, MEMORY, goal=1.0, unit="MB", better="lower") <= 1.0
