"""Runs side by side: all of them end, or are named, whatever happens to the processes that do them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from metairl.cli.main import main
from metairl.core.errors import RunConflict, UsageError
from metairl.core.records import RunFolder
from metairl.experiments.fleet import making, on_ray
from metairl.experiments.fleet.crew import Local
from metairl.experiments.fleet.fleet import Fleet, Row
from metairl.experiments.fleet.jobs import Job, glance, jobs_of, planned
from metairl.experiments.request import Request, make_request
from metairl.experiments.run import execute

STEPS = 5_000


def asked(seed: int, method: str = "rl2", steps: int = STEPS) -> Request:
    return make_request(method, "bandit-5:pulls=10", None, seed, steps)


def states(rows: Sequence[Row]) -> list[str]:
    return [row.state for row in rows]


class Scripted:
    """A crew whose jobs end as it is told, at once: what a fleet makes of it, without processes."""

    def __init__(self, codes: dict[int, list[int | None]]):
        self.codes = codes  # by seed, one a start; None: it never ends by itself
        self.ended: list[tuple[Job, int]] = []
        self.started: list[int] = []
        self.stopped: list[tuple[int, bool]] = []

    def room(self) -> int:
        return 2

    def start(self, job: Job) -> None:
        seed = job.request.seed
        self.started.append(seed)
        code = self.codes[seed].pop(0)
        if code == 0:
            folder = RunFolder(job.path)
            folder.describe(folder.description() | {"status": "completed"})
        if code is not None:
            self.ended.append((job, code))

    def finished(self) -> Iterator[tuple[Job, int]]:
        ended, self.ended = self.ended, []
        yield from ended

    def stop(self, job: Job, at_once: bool) -> None:
        self.stopped.append((job.request.seed, at_once))
        self.ended.append((job, -9))

    def close(self) -> None: ...


def sailed(
    codes: dict[int, list[int | None]], root: Path, patience: float = 60.0
) -> tuple[list[Row], Scripted]:
    crew = Scripted(codes)
    jobs = planned(jobs_of([asked(seed) for seed in codes], root))
    return Fleet(crew, patience=patience).sail(jobs), crew


def test_what_ends_well_is_done_once(tmp_path: Path) -> None:
    rows, crew = sailed({0: [0], 1: [0], 2: [0]}, tmp_path)
    assert states(rows) == ["completed"] * 3 and crew.started == [0, 1, 2]


def test_what_is_complete_is_not_started(tmp_path: Path) -> None:
    sailed({0: [0]}, tmp_path)
    rows, crew = sailed({0: [], 1: [0]}, tmp_path)
    assert states(rows) == ["completed"] * 2 and crew.started == [1]


def test_what_is_killed_is_started_again_and_in_the_end_named(tmp_path: Path) -> None:
    rows, crew = sailed({0: [-9, 0], 1: [-11, -11, -11]}, tmp_path)
    assert states(rows) == ["completed", "failed"]
    assert rows[1].why == "killed by signal 11 (tried 3 times)"
    assert crew.started.count(0) == 2 and crew.started.count(1) == 3


@pytest.mark.parametrize("code", [2, 3, 5, 7, 8, 9, 13])
def test_what_would_fail_again_is_not_tried_again(tmp_path: Path, code: int) -> None:
    rows, crew = sailed({0: [code], 1: [0]}, tmp_path)
    assert states(rows) == ["failed", "completed"] and crew.started.count(0) == 1


def test_a_run_that_another_fleet_has_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metairl.experiments.fleet.fleet.AGAIN", 0.01)
    rows, crew = sailed({0: [4, 4, 4, 4, 0]}, tmp_path)
    assert states(rows) == ["completed"] and len(crew.started) == 5


def test_a_run_that_says_nothing_is_ended_and_tried_again(tmp_path: Path) -> None:
    rows, crew = sailed({0: [None, 0]}, tmp_path, patience=0.2)
    assert states(rows) == ["completed"] and crew.stopped == [(0, True)]


# real processes


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one after the other, each in a fresh process."""
    root = tmp_path_factory.mktemp("alone")
    for job in planned(jobs_of([asked(0), asked(1)], root)):
        words = [sys.executable, "-m", "metairl", "resume", str(job.path), "--threads", "1"]
        subprocess.run(words, check=True, capture_output=True)
    return root


def numbers(root: Path, seed: int) -> list[object]:
    records = RunFolder(asked(seed).folder(root)).records()
    return [{name: value for name, value in vars(record).items() if name != "seconds"} for record in records]


def test_side_by_side_gives_the_numbers_of_one_by_one(alone: Path, tmp_path: Path) -> None:
    jobs = planned(jobs_of([asked(0), asked(1)], tmp_path))
    assert states(Fleet(Local(2, threads=1)).sail(jobs)) == ["completed"] * 2
    for seed in range(2):
        assert numbers(tmp_path, seed) == numbers(alone, seed)
    assert glance(jobs[0]).clock >= STEPS and glance(jobs[0]).score is not None


def test_a_worker_that_is_killed_loses_nothing(alone: Path, tmp_path: Path) -> None:
    crew, killed = Local(2, threads=1), []

    def kill_once(rows: Sequence[Row]) -> None:
        for job, process in crew.active.items():
            if not killed and RunFolder(job.path).size() > 5_000:
                killed.append(job)
                os.kill(process.pid or 0, signal.SIGKILL)

    rows = Fleet(crew, watch=kill_once).sail(planned(jobs_of([asked(0), asked(1)], tmp_path)))
    assert killed and states(rows) == ["completed"] * 2
    for seed in range(2):
        assert numbers(tmp_path, seed) == numbers(alone, seed)


TWO = f"""
import sys
from pathlib import Path

from metairl.experiments.fleet.crew import Local
from metairl.experiments.fleet.fleet import Fleet
from metairl.experiments.fleet.jobs import jobs_of, planned
from metairl.experiments.request import make_request

if __name__ == "__main__":
    asked = [make_request("rl2", "bandit-5:pulls=10", None, seed, {STEPS}) for seed in range(2)]
    rows = Fleet(Local(1, threads=1)).sail(planned(jobs_of(asked, Path(sys.argv[1]))))
    sys.exit(any(row.state != "completed" for row in rows))
"""


def test_two_fleets_share_a_folder_and_do_every_run_once(alone: Path, tmp_path: Path) -> None:
    (tmp_path / "fleet.py").write_text(TWO)
    words = [sys.executable, str(tmp_path / "fleet.py"), str(tmp_path / "runs")]
    fleets = [subprocess.Popen(words) for _ in range(2)]
    assert [fleet.wait(timeout=120) for fleet in fleets] == [0, 0]
    for seed in range(2):
        assert numbers(tmp_path / "runs", seed) == numbers(alone, seed)
        assert "resumed" not in RunFolder(asked(seed).folder(tmp_path / "runs")).description()


def test_a_folder_of_another_run_is_refused_before_anything_starts(tmp_path: Path) -> None:
    planned(jobs_of([asked(0)], tmp_path))
    with pytest.raises(RunConflict, match="steps"):
        planned(jobs_of([asked(1), asked(0, steps=77)], tmp_path))


def test_a_planned_run_does_not_count_as_one_that_was_resumed(tmp_path: Path) -> None:
    (job,) = planned(jobs_of([asked(0)], tmp_path))
    assert RunFolder(job.path).description()["status"] == "planned"
    execute(job.request, job.path, [])
    run = RunFolder(job.path).description()
    assert run["status"] == "completed" and "resumed" not in run and "versions" in run


def test_no_workers_no_fleet() -> None:
    with pytest.raises(UsageError, match="--jobs"):
        Local(0, 1)


# the commands

TABLE = ["reproduce", "rl2-bandits", "--columns", "10,5", "--run", "thompson", "ots"]


def without_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metairl.cli.reproduce.committed", list)


def test_a_table_s_missing_runs_are_made_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without_committed(monkeypatch)
    assert main([*TABLE, "--jobs", "2", "--runs", str(tmp_path)]) == 0
    said = capfd.readouterr()
    assert "2 runs to make" in said.err and said.err.count("completed: ") == 2
    assert main(["runs", str(tmp_path), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [row["status"] for row in found] == ["completed"] * 2 and found[0]["return"] > 5.5
    assert main(["runs", str(tmp_path)]) == 0 and "thompson" in capfd.readouterr().out


def test_a_plan_above_what_was_allowed_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", "rl2-bandits", "--run", "snail", "--runs", str(tmp_path), "--at-most", "1000"]
    assert main(words) == 2
    assert "more than --at-most 1,000" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_is_named_and_the_rest_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without_committed(monkeypatch)
    folder = make_request("thompson", "bandit-5:pulls=10").folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "records.jsonl").mkdir()  # a disk that gives no file there
    assert main([*TABLE, "--jobs", "2", "--runs", str(tmp_path)]) == 11
    said = capfd.readouterr().err
    assert "missing: thompson" in said and "completed: ots" in said


def test_a_planned_run_is_begun_by_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job,) = planned(jobs_of([asked(0)], tmp_path))
    assert main(["resume", str(job.path)]) == 0
    assert job.completed() and "held-out tasks" in capsys.readouterr().out
    assert main(["resume", str(tmp_path / "nowhere")]) == 6


def test_slurm_gets_a_script_whose_tasks_are_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The array's second task, as Slurm would run it."""
    without_committed(monkeypatch)
    assert main([*TABLE, "--engine", "slurm", "--jobs", "4", "--runs", str(tmp_path)]) == 0
    script = tmp_path / "array.sh"
    script.write_text(capfd.readouterr().out)
    assert "#SBATCH --array=1-2%4" in script.read_text()
    known = os.environ | {"SLURM_ARRAY_TASK_ID": "2"}
    subprocess.run(["bash", "-eu", str(script)], env=known, check=True, capture_output=True)
    assert main(["runs", str(tmp_path), "--json"]) == 0
    assert sorted(row["status"] for row in json.loads(capfd.readouterr().out)) == ["completed", "planned"]


def test_a_share_of_a_gpu_is_asked_of_ray_and_of_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(making, "OnRay", lambda *words: asked.extend(words))
    making.Manner(jobs=4, engine="ray", threads=1, gpus=0.25).crew()
    assert asked == [None, 4, 1, 0.25]
    for engine, gpus in (("local", 0.5), ("slurm", 1.0), ("ray", -1.0)):
        with pytest.raises(UsageError, match=r"is what a run asks Ray for: 0 or more, with --engine ray"):
            making.Manner(engine=engine, gpus=gpus)


@pytest.mark.parametrize(("address", "word"), [("127.0.0.1:1", "no Ray answers"), ("nowhere", "HOST:PORT")])
def test_a_ray_that_is_not_there_is_said_at_once(
    tmp_path: Path,
    address: str,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    without_committed(monkeypatch)
    began = time.monotonic()
    assert main([*TABLE, "--engine", "ray", "--address", address, "--runs", str(tmp_path)]) == 2
    assert word in capsys.readouterr().err and time.monotonic() - began < 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("says", "word"), [(b"", "timed out"), (b"HTTP/1.1 400 no\r\n", "something else")])
def test_what_answers_and_is_no_ray_is_said_within_ten_seconds(
    says: bytes, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "REACHED", 0.5)

    def answer() -> None:
        line, _ = server.accept()
        with line, contextlib.suppress(OSError):  # whoever asked has gone
            line.sendall(says)
            while line.recv(100):
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UsageError, match=rf"no Ray answers at .*{word}"):
            on_ray._require_answer(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_the_bounds_of_an_address_add_up_to_less_than_ten_seconds() -> None:
    assert 2 * on_ray.REACHED < 10.0
