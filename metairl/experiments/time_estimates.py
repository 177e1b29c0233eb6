"""How long a run may take: what runs like it took, as their records say.

    like it    the same method and encoder on the same task, else on other settings of its card, else in the
               same world; what is further away says nothing
    seconds    the median of those runs' times, each × the work that is asked for / the work it was
    work       training steps, in held-out tasks too; judged ones where nothing is trained

One's own runs come before committed ones: they are of this machine. Times are not scaled from machine to
machine: equal runs took up to six times as long beside other work, so a short calibration would say nothing.
The fastest and the slowest are said instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from metairl.core.errors import UsageError
from metairl.core.records import Evaluation, RunFolder, Training
from metairl.experiments.request import Request
from metairl.tasks import catalogue
from metairl.tasks.cards import TaskCard

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class Took:
    """A completed run of a task that there still is."""

    method: str
    regime: str | None
    encoder: str | None
    card: TaskCard
    task: str  # its full name
    work: int
    seconds: float

    def of(self, request: Request) -> bool:
        asked = request.method.name, request.regime, request.encoder
        return (self.method, self.regime, self.encoder) == asked


@dataclass(frozen=True)
class Estimate:
    seconds: float
    fastest: float
    slowest: float
    runs: int
    like: str  # what was run

    def __str__(self) -> str:
        some, by = f"some {duration(self.seconds)}", f"by {self.runs} run{'s' * (self.runs > 1)} {self.like}"
        if self.runs == 1:
            return f"{some} {by}"
        return f"{some}, {duration(self.fastest)} to {duration(self.slowest)} {by}"


def recorded(roots: Sequence[Path]) -> list[Took]:
    files = [file for root in roots for file in sorted(root.glob("**/run.json"))]
    found = [_took(RunFolder(file.parent)) for file in files]
    return [took for took in found if took is not None]


def estimate(request: Request, shelves: Sequence[Sequence[Took]]) -> Estimate | None:
    """By the runs that are most like it, on the first shelf that has any; None where there are none."""
    nearness: list[tuple[Callable[[Took], bool], str]] = [
        (lambda took: took.task == request.task, "of it"),
        (lambda took: took.card.id == request.card.id, f"of other settings of {request.card.id}"),
        (lambda took: took.card.world == request.card.world, "on other tasks of its world"),
    ]
    for near, like in nearness:
        for shelf in shelves:
            if found := [took for took in shelf if took.of(request) and near(took)]:
                work = _work(request.card, request.steps, asdict(request.settings))
                seconds = [took.seconds * work / took.work for took in found]
                return Estimate(median(seconds), min(seconds), max(seconds), len(found), like)
    return None


def duration(seconds: float) -> str:
    for unit, name in ((DAY, "days"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.2g} {name}"
    return f"{max(1, round(seconds))} s"


def _took(folder: RunFolder) -> Took | None:
    run = folder.description()
    if run["status"] != "completed":
        return None
    try:
        card = catalogue.task(run["task"])
    except UsageError:  # it is no longer there
        return None
    work = _work(card, run["steps"], run["config"])
    return Took(
        run["method"], run.get("regime"), run["encoder"], card, run["task"], work, _seconds(folder, run)
    )


def _seconds(folder: RunFolder, run: dict[str, Any]) -> float:
    """From its start to its end; of a run that was interrupted, what its records add up to."""
    began, ended = (datetime.fromisoformat(run[name]) for name in ("started", "finished"))
    if not run.get("resumed"):
        return max(1.0, (ended - began).total_seconds())
    records = list(folder.records())
    training = [r.seconds for r in records if isinstance(r, Training)]
    tested = [
        r.seconds for r in records if isinstance(r, Evaluation) and r.k == 1 and r.split != "validation"
    ]
    return sum(sum(part.values()) for part in [*training[-1:], *tested])


def _work(card: TaskCard, steps: int, settings: dict[str, Any]) -> int:
    if adapt := settings.get("adapt"):
        steps += adapt["steps"] * min(adapt["tasks"], card.split.test)
    return steps or card.steps * card.split.test
