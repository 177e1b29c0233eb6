"""Real processes of the real command, ended by real signals; and what their folders say afterwards."""

import json
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

import torch

from metairl.cli import main
from metairl.core import checkpoint
from metairl.experiments import run
from metairl.experiments.fleet.crew import IMPORTED, Local
from metairl.experiments.fleet.fleet import Fleet, Row, Watch
from metairl.experiments.fleet.jobs import Job, planned
from metairl.experiments.request import Request, make_request

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "metairl.cli.train", *IMPORTED])
EVERY = 0.03  # seconds between checkpoints
KEPT = ("METAIRL_PATH", "METAIRL_DATA", "METAIRL_CACHE", "WANDB_MODE", "OMP_NUM_THREADS")
Mount = Callable[[Path, str], None]
TIMES = re.compile(r'"seconds":\{[^}]*\}|,"crc":"[0-9a-f]{8}"')
PASSING = ("started", "finished", "resumed", "hardware", "versions", "commit", "dirty", "threads")


def as_command(words: list[str], known: dict[str, str], log: Path) -> None:
    """In a forked process: what `python -m metairl` does, with checkpoints all the time."""
    os.environ.update(known)
    torch.set_num_threads(1)
    run.SECONDS_BETWEEN_CHECKPOINTS, run.RARELY = EVERY, 1
    with log.open("a") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    os._exit(main.main(words))


def started(words: str, folder: Path) -> BaseProcess:
    known = {name: os.environ[name] for name in KEPT if name in os.environ}
    every = ["train", *words.split(), "--wandb", "disabled", "--threads", "1", "--out", str(folder)]
    process = CONTEXT.Process(target=as_command, args=(every, known, folder.with_suffix(".log")), daemon=True)
    process.start()
    return process


def completed(words: str, folder: Path) -> Path:
    """The folder, once a process has ended by itself and well."""
    process = started(words, folder)
    process.join(timeout=300)
    assert process.exitcode == 0, folder.with_suffix(".log").read_text()
    return folder


def lines(folder: Path) -> list[str]:
    """Records byte for byte, without their times and the sums over those."""
    return [TIMES.sub("", line) for line in (folder / "records.jsonl").read_text().splitlines()]


def told(folder: Path) -> dict[str, Any]:
    """All that a folder says, without times and the machine: run.json, and what training was at its end."""
    said = json.loads((folder / "run.json").read_text())
    saved = checkpoint.load(folder / "checkpoint")
    return {
        "run": {name: value for name, value in said.items() if name not in PASSING},
        "recipe": _plain(saved["recipe"]) if saved else None,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@dataclass
class Tally:
    """What became of the runs of one kind."""

    kills: int = 0  # landed while the process was at work
    asked: int = 0  # of them, by SIGTERM
    runs: int = 0  # that ended and were compared
    resumed: int = 0
    lost: int = 0  # records that the uninterrupted run has and a killed one has not
    doubled: int = 0  # records that a killed one has and the uninterrupted run has not
    unlike: int = 0  # runs whose folder says anything else

    def compare(self, folder: Path, reference: Path) -> None:
        ours, theirs = lines(folder), lines(reference)
        self.runs += 1
        self.resumed += json.loads((folder / "run.json").read_text()).get("resumed", 0)
        self.lost += sum(line not in ours for line in theirs)
        self.doubled += len(ours) - len(set(ours)) - (len(theirs) - len(set(theirs)))
        self.doubled += sum(line not in theirs for line in ours)
        self.unlike += ours != theirs or told(folder) != told(reference)

    @property
    def sound(self) -> bool:
        return not (self.lost or self.doubled or self.unlike)


def drill(words: str, root: Path, kills: int, chance: Random, terms: float = 0.2) -> Tally:
    """Kill runs at random moments of their life until so many kills landed; finish and compare each."""
    began = time.monotonic()
    reference = completed(words, root / "whole")
    life = time.monotonic() - began
    tally = Tally()
    while tally.kills < kills:
        folder = root / f"killed-{tally.runs}"
        for _ in range(min(4, kills - tally.kills)):
            process = started(words, folder)
            if not _ended_within(process, chance.uniform(0, life)):
                ask = chance.random() < terms
                os.kill(process.pid or 0, signal.SIGTERM if ask else signal.SIGKILL)
                process.join(timeout=60)
                assert process.exitcode in (-signal.SIGKILL, -signal.SIGTERM, 130, 0), process.exitcode
                landed = process.exitcode != 0  # it had not ended by itself in the meantime
                tally.kills, tally.asked = tally.kills + landed, tally.asked + (ask and landed)
        tally.compare(completed(words, folder), reference)
    return tally


def _ended_within(process: BaseProcess, seconds: float) -> bool:
    process.join(timeout=seconds)
    return process.exitcode is not None


def until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def grid(seeds: int, steps: int = 5_000) -> list[Request]:
    return [make_request("rl2", "bandit-5:pulls=10", None, seed, steps) for seed in range(seeds)]


def sail(jobs: Sequence[Job], watch: Watch = lambda rows: None) -> list[Row]:
    return Fleet(Local(2, threads=1), watch=watch).sail(planned(jobs))
