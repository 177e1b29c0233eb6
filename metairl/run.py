"""One run: claim its folder, go on from its checkpoint, train, judge, and say how it ended.

The same request on the same folder continues; another request is refused. Records reach the disk before
the checkpoint that counts them, and a resumed run first cuts its records back to that count, so a kill at
any moment loses work but never doubles or drops a line.
"""

import fcntl
import json
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from metairl import catalogue, checkpoint, draws, methods, protocol
from metairl.cards import TaskCard, digest
from metairl.errors import CardError, RunConflict, StorageError, UsageError
from metairl.record import SCHEMA, Evaluation, Record, RunFolder, writing
from metairl.source import Source
from metairl.track import Sink
from metairl.types import Policy, Sight, Spec
from metairl.worlds import make
from metairl.worlds.engine import Kind, choose

SECONDS_BETWEEN_CHECKPOINTS = float(os.environ.get("METAIRL_CHECKPOINT_SECONDS", "20"))
RARELY = 20  # times that saving took, at least, pass before the next
VERSIONS = ("metairl", "torch", "numpy", "mujoco", "gymnasium", "metaworld", "wandb")


@dataclass(frozen=True)
class Request:
    """What a person asks for; two equal requests are the same run."""

    method: str
    task: str  # full name with settings, "bandit-5-v1:pulls=100"
    encoder: str | None
    seed: int
    steps: int  # training budget; 0 where nothing is trained
    settings: Any  # the method's parts and their Configs
    engine: Kind = "cpu"  # that steps worlds with physics

    @property
    def card(self) -> TaskCard:
        return catalogue.task(self.task)

    @property
    def sight(self) -> Sight:
        return methods.sight(methods.find(self.method), self.encoder, self.settings)

    def folder(self, root: Path) -> Path:
        """Where this run stands under a root, so that no two requests share a place by accident."""
        own = methods.find(self.method).encoder
        name = self.method if self.encoder == own else f"{self.method}+{self.encoder}"
        return root / name / self.task.replace(":", "_") / f"seed-{self.seed}"

    def identity(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "encoder": self.encoder,
            "task": self.task,
            "card_sha256": self.card.sha256,
            "seed": self.seed,
            "steps": self.steps,
            "config": json.loads(json.dumps(asdict(self.settings))),
            **({"engine": self.engine} if self.card.simulated else {}),
        }


def request(
    method: str,
    task: str,
    encoder: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    settings: Any = None,
    engine: str = "cpu",
) -> Request:
    """Checks the combination before any work starts and fills in what was tuned for it."""
    chosen = methods.find(method)
    card = catalogue.task(task)
    methods.require_world(method, chosen, card)
    encoder = methods.choose_encoder(method, chosen, encoder)
    methods.require_episodes(encoder, card)
    if steps is not None and steps < 0:
        raise UsageError(f"--steps must be 0 or more, not {steps}")
    kind = choose(engine) if card.simulated else "cpu"
    tuned_steps, tuned_settings = methods.tuned(method, task, encoder)
    budget = (steps if steps is not None else tuned_steps) if chosen.recipe else 0
    return Request(method, catalogue.task_name(task), encoder, seed, budget, settings or tuned_settings, kind)


def execute(asked: Request, path: Path, sinks: Sequence[Sink]) -> dict[str, Any]:
    """Start or continue the run in `path`; its description once it is complete."""
    folder = RunFolder(path)
    folder.create()
    with _claim(folder):
        run = _open(folder, asked)
        if run["status"] == "completed":
            return run
        for sink in sinks:
            sink.start(run | {"folder": str(path)})
        try:
            _work(Work(asked, folder, *build(asked), sinks, {"train": 0.0, "eval": 0.0}))
            _close(folder, sinks, run, "completed")
        except KeyboardInterrupt:
            _close(folder, sinks, run, "interrupted")
            raise
        except BaseException as fault:
            _close(folder, sinks, run | {"why": str(fault)}, "failed")
            raise
        return run


@dataclass
class Work:
    """The pieces of a run while it is alive."""

    asked: Request
    folder: RunFolder
    policy: Policy
    recipe: protocol.Recipe | None
    sinks: Sequence[Sink]
    seconds: dict[str, float]

    def keep(self, records: list[Record]) -> None:
        """To the disk first, then to whoever shows it."""
        if records:
            self.folder.append(records)
        for record in records:
            for sink in self.sinks:
                sink.write(record)

    @property
    def spent(self) -> protocol.Spent:
        return (
            protocol.Spent(self.recipe.env_steps, self.recipe.gradient_steps)
            if self.recipe
            else protocol.Spent()
        )

    def judge(self, split: str) -> list[Record]:
        return list(judge(self.asked, self.policy, split, self.spent))

    def judge_elsewhere(self) -> Iterator[list[Record]]:
        """On the test tasks of every card that this one transfers to; nothing there was trained on."""
        for other in map(catalogue.task, self.asked.card.transfer if self.recipe else ()):
            if alike(self.asked.card, other, self.asked.sight.task):
                yield list(judge(self.asked, self.policy, "test", self.spent, other))


def judge(
    asked: Request, policy: Policy, split: str, spent: protocol.Spent, on: TaskCard | None = None
) -> list[Evaluation]:
    """On a split of the request's own card, or of another one, which the records then name."""
    card = on or asked.card
    tasks = draws.task_set(card, split)
    judged = protocol.meta_test(policy, card, tasks, asked.sight, asked.seed, spent, asked.engine)
    return [replace(e, split=f"{card.id}:{split}") for e in judged] if on else judged


def build(asked: Request) -> tuple[Policy, protocol.Recipe | None]:
    """The policy to judge and, where there is something to train, the recipe that trains it."""
    chosen, card = methods.find(asked.method), asked.card
    spec = spec_of(card)
    for other in card.transfer:
        if not alike(card, catalogue.task(other), told=False):
            raise CardError(f"task '{card.id}' cannot transfer to '{other}': it sees or does something else")
    if chosen.recipe is None or asked.encoder is None:
        return methods.build_exact(chosen, spec, asked.settings), None
    agent = methods.build_agent(chosen, asked.encoder, spec, asked.settings, card, asked.seed)
    source = Source(card, spec, draws.held_out(card), asked.engine)
    recipe = chosen.recipe[0](agent, source, asked.settings.recipe, asked.seed)
    return agent.policy(explore=False), recipe


def requested(folder: RunFolder) -> Request:
    """The request that a folder was made by; settings that its version did not know have their defaults."""
    run = folder.description()
    method, encoder = methods.find(run["method"]), run["encoder"]
    settings = methods.settings_from(method, encoder, run["config"], str(folder.run_file))
    engine = choose(run.get("engine", "cpu"))
    return Request(run["method"], run["task"], encoder, run["seed"], run["steps"], settings, engine)


def reopen(folder: RunFolder) -> tuple[Request, Policy, protocol.Spent]:
    """What a run folder asked for, and its policy as the newest whole checkpoint has it."""
    asked = requested(folder)
    policy, recipe = build(asked)
    if recipe is None:
        return asked, policy, protocol.Spent()
    saved = checkpoint.load(folder.checkpoints)
    if saved is None:
        raise StorageError(f"{folder.path}: there is no checkpoint in it yet")
    recipe.load(saved["recipe"])
    return asked, policy, protocol.Spent(recipe.env_steps, recipe.gradient_steps)


def alike(card: TaskCard, other: TaskCard, told: bool) -> bool:
    """Whether what is trained on one card can act on the other; what is told the task needs equal ones."""
    here, there = spec_of(card), spec_of(other)
    same = (here.obs, here.actions, here.discrete) == (there.obs, there.actions, there.discrete)
    return same and (here.params == there.params or not told)


def spec_of(card: TaskCard) -> Spec:
    one = draws.draw(card, 1, torch.Generator())
    spec = make(card, one, torch.Generator()).spec
    return replace(spec, families=len(card.skill_goals.train)) if card.arm else spec


def _work(work: Work) -> None:
    if work.recipe is None:
        work.folder.cut(0)
    else:
        _resume(work, work.recipe)
        with _stop_between_iterations() as stopping:
            _train(work, work.recipe, stopping)
    for records in work.judge_elsewhere():
        work.keep(records)
    work.keep(work.judge("test"))


def _resume(work: Work, recipe: protocol.Recipe) -> None:
    saved = checkpoint.load(work.folder.checkpoints)
    work.folder.cut(saved["records"] if saved else 0)
    if saved:
        recipe.load(saved["recipe"])
        work.seconds.update(saved["seconds"])


def _train(work: Work, recipe: protocol.Recipe, stopping: Callable[[], bool]) -> None:
    saved_at, pause = time.monotonic(), SECONDS_BETWEEN_CHECKPOINTS
    validate = partial(work.judge, "validation")
    for records in protocol.meta_train(recipe, validate, work.asked.steps, work.seconds):
        work.keep(records)
        if recipe.env_steps == 0:
            continue  # a run that goes on from here would be judged untrained once more
        over = recipe.env_steps >= work.asked.steps
        if over or stopping() or time.monotonic() - saved_at > pause:
            began = time.monotonic()
            content = {"recipe": recipe.state(), "seconds": work.seconds, "records": work.folder.size()}
            checkpoint.save(work.folder.checkpoints, recipe.env_steps, content)
            saved_at = time.monotonic()
            pause = max(SECONDS_BETWEEN_CHECKPOINTS, RARELY * (saved_at - began))  # replays are large
        if stopping() and not over:
            raise KeyboardInterrupt


def _open(folder: RunFolder, asked: Request) -> dict[str, Any]:
    """The folder's description: a new one, or the old one if it was made by the same request."""
    identity = asked.identity()
    if not folder.run_file.exists():
        run = {
            "schema": SCHEMA,
            "id": digest(identity)[:12],
            **identity,
            **_surroundings(),
            "status": "running",
        }
        folder.describe(run)
        return run
    run = folder.description()
    made = dict(_leaves(requested(folder).identity() | {"card_sha256": run["card_sha256"]}))
    for key, value in dict(_leaves(identity)).items():
        if made.get(key) != value:
            raise RunConflict(
                f"{folder.path}: made with {key} = {made.get(key)}, asked for {value}; choose another --out"
            )
    if run["status"] != "completed":
        run |= {"status": "running", "resumed": run.get("resumed", 0) + 1}
        folder.describe(run)
    return run


def _leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


def _close(folder: RunFolder, sinks: Sequence[Sink], run: dict[str, Any], status: str) -> None:
    run |= {"status": status, "finished": _now()}
    try:
        folder.describe(run)
    finally:
        for sink in sinks:
            sink.finish(status)


def _surroundings() -> dict[str, Any]:
    """What else decides or explains the numbers: code, libraries, machine, threads, time."""
    return {
        "versions": versions(),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "hardware": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "started": _now(),
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _claim(folder: RunFolder) -> Iterator[None]:
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
    asked: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt  # asked twice: now
        asked.append(signum)

    before = {name: signal.signal(name, note) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
