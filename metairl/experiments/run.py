"""One run: claim its folder, go on from its checkpoint, train, judge, and say how it ended.

The same request on the same folder continues; another request is refused. Records reach the disk before
the checkpoint that counts them, and a resumed run first cuts its records back to that count, so a kill at
any moment loses work but never doubles or drops a line.
"""

import fcntl
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from metairl.core import checkpoint
from metairl.core.errors import Incompatible, MetairlError, RunConflict, StorageError
from metairl.core.records import SCHEMA, Evaluation, Record, RunFolder, made_by, writing
from metairl.evaluation import protocol
from metairl.experiments.assemble import build, can_act
from metairl.experiments.judging import judge, judge_adapted
from metairl.experiments.request import Request, read_request
from metairl.experiments.tracking import Sink
from metairl.methods.settings import searched
from metairl.rewards.irl.solution import Evaluable
from metairl.tasks import catalogue
from metairl.tasks.cards import digest

SECONDS_BETWEEN_CHECKPOINTS = float(os.environ.get("METAIRL_CHECKPOINT_SECONDS", "20"))
RARELY = 20  # times that saving took, at least, pass before the next
HASHES = ("card_sha256", "data_sha256", "train_data_sha256", "other_data_sha256")
JUDGED = {"judged": "test"}  # what is not said in a run.json
VERSIONS = ("metairl", "torch", "numpy", "mujoco", "gymnasium", "metaworld", "wandb")


def execute(request: Request, path: Path, sinks: Sequence[Sink], stages: bool = False) -> dict[str, Any]:
    """Start or continue the run in `path`; its description once it is complete.

    With `stages` the networks are kept as they were at every judged moment.
    """
    folder = RunFolder(path)
    folder.create()
    with claim(folder):
        run = _open(folder, request)
        if run["status"] == "completed":
            return run
        for sink in sinks:
            sink.start(run | {"folder": str(path)})
        try:
            _work(Work(request, folder, *build(request), sinks, {"train": 0.0, "eval": 0.0}, stages))
            _close(folder, sinks, run, "completed")
        except KeyboardInterrupt:
            _close(folder, sinks, run, "interrupted")
            raise
        except BaseException as fault:
            code = fault.code if isinstance(fault, MetairlError) else 1
            _close(folder, sinks, run | {"why": str(fault), "code": code}, "failed")
            raise
        return run


@dataclass
class Work:
    """The pieces of a run while it is alive."""

    request: Request
    folder: RunFolder
    policy: Evaluable
    recipe: protocol.Recipe | None
    sinks: Sequence[Sink]
    seconds: dict[str, float]
    stages: bool = False

    def keep(self, records: list[Record]) -> None:
        """To the disk first, then to whoever shows it."""
        if records:
            self.folder.append(records)
        for record in records:
            for sink in self.sinks:
                sink.write(record)

    @property
    def spent(self) -> protocol.StepCounts:
        return (
            protocol.StepCounts(self.recipe.env_steps, self.recipe.gradient_steps)
            if self.recipe
            else protocol.StepCounts()
        )

    def judge(self, split: str) -> list[Record]:
        return list(judge(self.request, self.policy, split, self.spent))

    def tested(self) -> Iterator[list[Record]]:
        """On the test split, after learning on in its tasks where the method does."""
        if self.recipe and self.request.method.adapt:
            for records in judge_adapted(self.request, self.recipe, self.spent):
                yield list(records)
        else:
            yield self.judge("test")

    def validated(self) -> Iterator[list[Record]]:
        """What trains has been judged on validation tasks as it went, its end included."""
        if self.recipe is None:
            yield self.judge("validation")

    def judge_elsewhere(self) -> Iterator[list[Record]]:
        """On the test tasks of every card that this one transfers to; nothing there was trained on."""
        able = self.recipe and self.request.problem.transfers
        for other in map(catalogue.task, self.request.card.transfer if able else ()):
            if can_act(self.request, other):
                yield list(judge(self.request, self.policy, "test", self.spent, other))


def reopen(folder: RunFolder) -> tuple[Request, Evaluable, protocol.StepCounts]:
    """What a run folder asked for, and its policy as the newest whole checkpoint has it."""
    request = read_request(folder)
    policy, recipe = build(request)
    if recipe is None:
        return request, policy, protocol.StepCounts()
    saved = checkpoint.load(folder.checkpoints)
    if saved is None:
        raise StorageError(f"{folder.path}: there is no checkpoint in it yet")
    _bring_back(recipe, saved["recipe"], folder)
    return request, policy, protocol.StepCounts(recipe.env_steps, recipe.gradient_steps)


def _work(work: Work) -> None:
    if work.recipe is None:
        work.folder.cut(0)
    else:
        _resume(work, work.recipe)
        with _stop_between_iterations() as stopping:
            _train(work, work.recipe, stopping)
    last = [work.validated] if work.request.judged == "validation" else [work.judge_elsewhere, work.tested]
    for judged in last:
        for records in judged():
            work.keep(records)


def _resume(work: Work, recipe: protocol.Recipe) -> None:
    saved = checkpoint.load(work.folder.checkpoints)
    work.folder.cut(saved["records"] if saved else 0)
    if saved:
        _bring_back(recipe, saved["recipe"], work.folder)
        work.seconds.update(saved["seconds"])


def _bring_back(recipe: protocol.Recipe, state: dict[str, Any], folder: RunFolder) -> None:
    """A whole checkpoint that does not fit is one of other networks: another version's."""
    try:
        recipe.load(state)
    except (KeyError, RuntimeError, TypeError, ValueError) as fault:
        words = str(fault).splitlines()[0]
        by = made_by(folder.description())
        raise Incompatible(f"{folder.checkpoints}: made by {by}, and does not fit ({words})") from None


def _train(work: Work, recipe: protocol.Recipe, stopping: Callable[[], bool]) -> None:
    saved_at, pause = time.monotonic(), SECONDS_BETWEEN_CHECKPOINTS
    validate = partial(work.judge, "validation")
    for records in protocol.meta_train(recipe, validate, work.request.steps, work.seconds):
        work.keep(records)
        if work.stages and any(isinstance(record, Evaluation) for record in records):
            stage = {"networks": recipe.networks.state_dict()}
            checkpoint.save(work.folder.stages, recipe.clock, stage, keep=None)
        if recipe.clock == 0:
            continue  # a run that goes on from here would be judged untrained once more
        over = recipe.clock >= work.request.steps
        if over or stopping() or time.monotonic() - saved_at > pause:
            began = time.monotonic()
            content = {"recipe": recipe.state(), "seconds": work.seconds, "records": work.folder.size()}
            checkpoint.save(work.folder.checkpoints, recipe.clock, content)
            saved_at = time.monotonic()
            pause = max(SECONDS_BETWEEN_CHECKPOINTS, RARELY * (saved_at - began))  # replays are large
        if stopping() and not over:
            raise KeyboardInterrupt


def plan(request: Request, path: Path) -> None:
    """A folder that says what is to be run there; one of the same run is left as it is.

    Whoever comes first writes; others wait for it.
    """
    folder = RunFolder(path)
    folder.create()
    while not folder.run_file.exists():
        try:
            with claim(folder):
                if not folder.run_file.exists():
                    folder.describe(_asked(request) | {"status": "planned"})
        except RunConflict:
            time.sleep(0.05)
    _require_same(folder, request)


def _open(folder: RunFolder, request: Request) -> dict[str, Any]:
    """The folder's description: a new one, or the old one if it was made by the same request."""
    run = folder.description() if folder.run_file.exists() else None
    if run:
        _require_same(folder, request)
    if run is None or run["status"] == "planned":
        run = _asked(request) | surroundings() | _searched(request) | {"status": "running"}
        folder.describe(run)
    elif run["status"] != "completed":
        run = {key: value for key, value in run.items() if key not in ("why", "code")}
        run |= {"status": "running", "resumed": run.get("resumed", 0) + 1}
        folder.describe(run)
    return run


def _asked(request: Request) -> dict[str, Any]:
    identity = request.identity()
    variant = {"variant": dict(request.variant)} if request.variant else {}
    return {"schema": SCHEMA, "id": digest(identity)[:12], **identity, **variant}


def _searched(request: Request) -> dict[str, Any]:
    """Training steps of the search that chose these settings, where one did: they are part of their cost."""
    steps = searched(request.method, request.task, request.encoder, request.settings)
    return {"searched": steps} if steps else {}


def _require_same(folder: RunFolder, request: Request) -> None:
    run = folder.description()
    then = {key: run[key] for key in HASHES if key in run}
    made = dict(_leaves(JUDGED | read_request(folder).identity() | then))
    for key, value in dict(_leaves(JUDGED | request.identity())).items():
        if made.get(key) != value:
            raise RunConflict(
                f"{folder.path}: made with {key} = {made.get(key)}, asked for {value}; choose another --out"
            )


def _leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


def _close(folder: RunFolder, sinks: Sequence[Sink], run: dict[str, Any], status: str) -> None:
    run |= {"status": status, "finished": now()}
    try:
        folder.describe(run)
    finally:
        for sink in sinks:
            sink.finish(status)


def surroundings() -> dict[str, Any]:
    """What else decides or explains the numbers: code, libraries, machine, threads, time."""
    return {
        "versions": versions(),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "hardware": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "started": now(),
    }


def versions() -> dict[str, str | None]:
    return {"python": platform.python_version()} | {name: _version(name) for name in VERSIONS}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*words: str) -> str | None:
    """What git says of the code that runs; None where no repository tracks it."""

    def said(*words: str) -> str:
        command = ["git", "-C", str(catalogue.PACKAGE), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        said("ls-files", "--error-unmatch", "__init__.py")
        return said(*words)
    except (OSError, subprocess.CalledProcessError):
        return None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def claim(folder: RunFolder) -> Iterator[None]:
    """One process at a time; the lock dies with its owner, so nothing is left behind by a kill."""
    with writing(folder.path):
        lock = (folder.path / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunConflict(f"{folder.path}: another process is working on this run") from None
        yield


@contextmanager
def _stop_between_iterations() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask; the run answers after the iteration at hand, with its checkpoint written."""
    request: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if request:
            raise KeyboardInterrupt  # asked twice: now
        request.append(signum)

    before = {name: signal.signal(name, note) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(request)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
