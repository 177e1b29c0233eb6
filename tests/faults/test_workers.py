"""Workers that crash, hang or diverge, and clocks that jump: every row ends completed or named."""

import itertools
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from drilling import grid, lines, sail

from metairl.core.records import Evaluation, RunFolder
from metairl.experiments import run, time_estimates
from metairl.experiments.fleet.crew import Local
from metairl.experiments.fleet.fleet import Fleet, Row
from metairl.experiments.fleet.jobs import jobs_of, planned
from metairl.experiments.request import make_request


def signals(crew: Local, number: int, times: int) -> Callable[[Sequence[Row]], None]:
    """A watch that sends the first job's workers a signal once they wrote something, so many of them."""
    sent: list[int | None] = []

    def send(rows: Sequence[Row]) -> None:
        process = crew.active.get(rows[0].job)
        wrote = RunFolder(rows[0].job.path).size() > 0
        if process and process.pid and process.pid not in sent and len(sent) < times and wrote:
            sent.append(process.pid)
            os.kill(process.pid, number)

    return send


def test_a_worker_that_always_crashes_is_named_and_the_rest_is_made(tmp_path: Path) -> None:
    crew = Local(2, threads=1)
    jobs = planned(jobs_of([*grid(1, steps=400_000), *grid(3)[1:]], tmp_path))
    rows = Fleet(crew, watch=signals(crew, signal.SIGSEGV, times=3)).sail(jobs)
    assert [row.state for row in rows] == ["failed", "completed", "completed"]
    assert rows[0].why == "killed by signal 11 (tried 3 times)"


def test_a_worker_that_hangs_is_ended_and_its_run_goes_on(tmp_path: Path, alone: Path) -> None:
    crew = Local(2, threads=1)
    jobs = planned(jobs_of(grid(2), tmp_path))
    rows = Fleet(crew, patience=3.0, watch=signals(crew, signal.SIGSTOP, times=1)).sail(jobs)
    assert [row.state for row in rows] == ["completed"] * 2 and rows[0].tries == 2
    for mine, other in zip(jobs, jobs_of(grid(2), alone), strict=True):
        assert lines(mine.path) == lines(other.path)


def test_a_worker_that_always_hangs_is_named_by_that(tmp_path: Path) -> None:
    crew = Local(1, threads=1)
    jobs = planned(jobs_of(grid(1, steps=400_000), tmp_path))
    watch = signals(crew, signal.SIGSTOP, times=2)
    (row,) = Fleet(crew, tries=2, patience=2.0, watch=watch).sail(jobs)
    assert row.state == "failed" and row.why == "no word for 2 s (tried 2 times)"


def test_a_simulation_that_diverges_costs_its_lanes_and_not_the_run(tmp_path: Path, shelf: Path) -> None:
    """Half-cheetahs of absurd strength."""
    card = shelf / "tasks" / "drill-cheetah-v1.toml"
    strong = 'control = 0.05, scale = { "actuator_gear" = 1e4 }'
    card.write_text(card.read_text().replace("control = 0.05", strong))
    run.execute(make_request("random", "drill-cheetah"), tmp_path / "run", [])
    judged = [r for r in RunFolder(tmp_path / "run").records() if isinstance(r, Evaluation)]
    assert sum(e.diverged for e in judged) > 0
    assert all(math.isfinite(value) for e in judged for value in e.returns)


def test_a_loss_that_is_no_number_is_named_at_once_and_the_rest_is_made(tmp_path: Path) -> None:
    wild, calm = grid(2)
    recipe = replace(wild.settings.recipe, learning_rate=1e30)
    wild = replace(wild, settings=replace(wild.settings, recipe=recipe))
    rows = sail(jobs_of([wild, calm], tmp_path))
    assert [row.state for row in rows] == ["failed", "completed"] and rows[0].tries == 1
    assert "became nan after" in rows[0].why
    assert RunFolder(rows[0].job.path).description()["code"] == 7


def test_clocks_that_jump_end_nothing_and_change_no_number(
    tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock goes a day forth and a year back, at every look; so do the stamps of files."""
    ticks = itertools.count()

    def leaping() -> float:
        return 2e9 + (86_400 if next(ticks) % 2 else -3e7)

    def leap(rows: Sequence[Row]) -> None:
        for row in rows:
            if (file := row.job.path / "records.jsonl").exists():
                os.utime(file, (leaping(), leaping()))

    times = iter(("2030-01-02T00:00:00+00:00", "2030-01-01T00:00:00+00:00"))
    jobs = planned(jobs_of(grid(2), tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", leaping)
        patch.setattr(run, "now", lambda: next(times))
        rows = Fleet(Local(1, threads=1), patience=30.0, watch=leap).sail(jobs[:1])
        run.execute(jobs[1].request, jobs[1].path, [])
    assert [row.tries for row in rows] == [1] and jobs[0].completed() and jobs[1].completed()
    for mine, other in zip(jobs, jobs_of(grid(2), alone), strict=True):
        assert lines(mine.path) == lines(other.path)
    assert all(took.seconds >= 1.0 for took in time_estimates.recorded([tmp_path]))
