"""Runs in real processes: killed, doubled, starved of disk, diverging; and the numbers they end with."""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from metairl.core.errors import Diverged, RunConflict, StorageError
from metairl.core.records import Record, RunFolder, Training, from_line
from metairl.experiments import missing_runs, run
from metairl.experiments.request import make_request
from metairl.experiments.run import Work, execute

STEPS = 30_000
NO_TIME = {"train": 0.0, "eval": 0.0}


def command(folder: Path, *more: str) -> list[str]:
    words = [
        "train",
        "rl2",
        "bandit-5",
        "--steps",
        str(STEPS),
        "--recipe.trials",
        "64",
        "--wandb",
        "disabled",
    ]
    return [sys.executable, "-m", "metairl", *words, "--threads", "1", "--out", str(folder), *more]


def numbers(folder: Path) -> list[Any]:
    """Every record but its wall-clock."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    return [{k: v for k, v in vars(from_line(line, "")).items() if k != "seconds"} for line in lines]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from metairl.core import checkpoint

    saved = checkpoint.load(folder / "checkpoint")
    assert saved is not None
    return dict(saved["recipe"]["networks"])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    subprocess.run(command(folder), check=True, capture_output=True)
    return folder


def written(folder: Path) -> int:
    file = folder / "records.jsonl"
    return file.stat().st_size if file.exists() else 0


def test_killed_at_random_points_it_ends_with_the_same_numbers(uninterrupted: Path, tmp_path: Path) -> None:
    chance = random.Random(0)
    environment = os.environ | {"METAIRL_CHECKPOINT_SECONDS": "0.1"}
    for _ in range(3):
        process = subprocess.Popen(command(tmp_path), env=environment, stderr=subprocess.DEVNULL)
        enough = written(tmp_path) + chance.randint(10_000, 50_000)  # at some byte of some record
        while written(tmp_path) < enough and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert subprocess.run(command(tmp_path), capture_output=True).returncode == 0
    assert json.loads((tmp_path / "run.json").read_text())["resumed"] == 3
    assert numbers(tmp_path) == numbers(uninterrupted)
    ours, theirs = weights(tmp_path), weights(uninterrupted)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_asked_to_stop_it_stops_with_a_checkpoint_and_goes_on(uninterrupted: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(command(tmp_path), stderr=subprocess.PIPE, text=True)
    while not written(tmp_path):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on from the last checkpoint" in complaints
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "interrupted"
    assert list((tmp_path / "checkpoint").glob("*.pt"))
    subprocess.run(command(tmp_path), check=True, capture_output=True)
    assert numbers(tmp_path) == numbers(uninterrupted)


class Counting:
    """A recipe of ten steps an iteration, saved and loaded as its one number."""

    def __init__(self, env_steps: int = 0):
        self.env_steps = self.gradient_steps = env_steps

    def iterate(self, progress: float) -> dict[str, float]:
        self.env_steps += 10
        return {"loss": 0.0}

    @property
    def clock(self) -> int:
        return self.env_steps

    def state(self) -> dict[str, Any]:
        return {"env_steps": self.env_steps}

    def load(self, state: dict[str, Any]) -> None:
        self.env_steps = state["env_steps"]


class Judged(Work):
    """Judging is a record of its moment."""

    def judge(self, split: str) -> list[Record]:
        return [Training(self.recipe.env_steps if self.recipe else 0, 0, {"judged": 1.0}, {})]


@pytest.mark.parametrize("stop_at", range(0, 100, 10))
def test_wherever_it_is_stopped_the_same_records_follow(tmp_path: Path, stop_at: int) -> None:
    def records(name: str, stop_at: int | None) -> list[Any]:
        asked: Any = SimpleNamespace(steps=100)
        nobody: Any = None
        work: Any = Judged(asked, RunFolder(tmp_path / name), nobody, None, [], dict(NO_TIME))
        work.folder.create()
        for limit in (1000, 1000) if stop_at is None else (stop_at, 1000):
            work.recipe = Counting()
            run._resume(work, work.recipe)
            with contextlib.suppress(KeyboardInterrupt):
                run._train(work, work.recipe, lambda limit=limit: work.recipe.env_steps >= limit)
        return numbers(work.folder.path)

    whole = records("whole", None)
    assert [r["env_steps"] for r in whole if "judged" in r["metrics"]] == list(range(0, 101, 10))
    assert records("stopped", stop_at) == whole


def test_a_finished_run_is_left_as_it_is(uninterrupted: Path) -> None:
    before = (uninterrupted / "records.jsonl").read_bytes()
    done = subprocess.run(command(uninterrupted), check=True, capture_output=True, text=True)
    assert "held-out tasks" in done.stdout
    assert (uninterrupted / "records.jsonl").read_bytes() == before


def test_a_finished_run_is_not_made_again(tmp_path: Path) -> None:
    asked = make_request("random", "bandit-5")
    assert missing_runs.missing(iter([asked]), [tmp_path]) == [asked]
    execute(asked, asked.folder(tmp_path), [])
    assert missing_runs.missing(iter([asked]), [tmp_path]) == []
    other = make_request("random", "bandit-5", seed=1)
    assert missing_runs.missing(iter([asked, other]), [tmp_path]) == [other]


def test_evaluating_a_run_repeats_what_it_recorded(uninterrupted: Path) -> None:
    words = [sys.executable, "-m", "metairl", "evaluate", str(uninterrupted), "--json"]
    told = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    recorded = numbers(uninterrupted)[-1]
    assert recorded["split"] == "test"
    assert told["return"] == sum(recorded["returns"]) / len(recorded["returns"])


def test_another_configuration_is_refused_and_named(uninterrupted: Path) -> None:
    done = subprocess.run(command(uninterrupted, "--learner.clip", "0.3"), capture_output=True, text=True)
    assert done.returncode == RunConflict.code
    assert "made with config.learner.clip = 0.2, asked for 0.3" in done.stderr
    assert done.stderr.count("\n") == 1


def test_two_processes_never_share_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.create()
    with run.claim(folder), pytest.raises(RunConflict, match="another process is working on this run"):
        execute(make_request("rl2", "bandit-5", steps=100), tmp_path, [])


def test_a_full_disk_is_named_and_what_was_recorded_stays(tmp_path: Path) -> None:
    limit = 100_000  # bytes a file may have: enough for some records, not for a checkpoint

    def starve() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(command(tmp_path), capture_output=True, text=True, preexec_fn=starve)
    assert done.returncode == StorageError.code, done.stderr
    assert "cannot write" in done.stderr.splitlines()[-1]
    assert len(numbers(tmp_path)) >= 1  # whole lines: a write that did not fit is taken back


def test_a_loss_that_is_not_finite_ends_the_run_by_name(tmp_path: Path) -> None:
    asked = make_request("rl2", "bandit-5", steps=50_000)
    wild = replace(asked.settings, recipe=replace(asked.settings.recipe, learning_rate=1e30))
    with pytest.raises(Diverged, match=r"became nan after \d+ training steps"):
        execute(replace(asked, settings=wild), tmp_path, [])
    described = json.loads((tmp_path / "run.json").read_text())
    assert described["status"] == "failed"
    assert "became nan" in described["why"]
    assert len(numbers(tmp_path)) >= 1


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not a run folder"):
        RunFolder(tmp_path).description()
