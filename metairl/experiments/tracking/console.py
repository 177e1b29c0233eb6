"""Progress for a person: a live bar on a terminal, plain lines anywhere else. All of it on stderr.

NO_COLOR (no-color.org) and TERM=dumb mean plain lines on a terminal too: a bar needs escape codes.
"""

import contextlib
import os
import sys
import time
from collections import deque
from typing import Any, Protocol, TextIO

from rich import console as rich_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from metairl.core.records import Evaluation, Training
from metairl.experiments.tracking.rows import mean, standard_error
from metairl.experiments.tracking.say import say

LOSSES_SHOWN = 3
REDRAW_SECONDS = 0.25


class View(Protocol):
    def write(self, record: Training | Evaluation) -> None: ...

    def finish(self, status: str) -> None: ...


class Console:
    """Chooses the view, and drops it when stderr turns out to be gone."""

    def __init__(self, every: float = 10.0):
        self.every = every  # seconds between plain lines about training
        self._view: View | None = None

    def start(self, run: dict[str, Any]) -> None:
        stream = sys.stderr
        if stream is None or stream.closed:
            return
        title, budget = f"{run['method']} {run['task']} s{run['seed']}", int(run["steps"])
        try:
            self._view = Bar(title, budget, stream) if draws(stream) else Lines(title, budget, self.every)
        except (OSError, ValueError):
            self._view = None

    def write(self, record: Training | Evaluation) -> None:
        if self._view is None:
            return
        try:
            self._view.write(record)
        except (OSError, ValueError):
            self.finish("stderr is gone")

    def finish(self, status: str) -> None:
        view, self._view = self._view, None
        if view is not None:
            with contextlib.suppress(OSError, ValueError):
                view.finish(status)


def draws(stream: TextIO) -> bool:
    plain = os.environ.get("NO_COLOR", "") != "" or os.environ.get("TERM", "dumb") == "dumb"
    return stream.isatty() and not plain


class Pace:
    """Environment steps a second, evaluation pauses included, over the last records; and the time left."""

    def __init__(self, budget: int):
        self.budget = budget
        self._seen: deque[tuple[float, int]] = deque(maxlen=50)

    def at(self, steps: int) -> None:
        # The first record is the origin, so a resumed run is not credited with steps of an earlier process.
        self._seen.append((time.monotonic(), steps))

    def rate(self) -> float | None:
        if len(self._seen) < 2:
            return None
        (start, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - start) if now > start and last > first else None

    def __str__(self) -> str:
        rate = self.rate()
        if rate is None:
            return "… steps/s"
        left = max(0, self.budget - self._seen[-1][1]) / rate
        return f"{rate:,.0f} steps/s, {clock(left)} left"


class Lines:
    """At most one line about training every few seconds, and one for every evaluation."""

    def __init__(self, title: str, budget: int, every: float):
        self.title, self.budget, self.every = title, budget, every
        self.pace = Pace(budget)
        self._spoke = time.monotonic() - every
        say(f"{title}: {budget:,} env steps")

    def write(self, record: Training | Evaluation) -> None:
        if isinstance(record, Evaluation):
            say(f"{self.title}: {record.clock:,} steps, {score(record)}")
            return
        self.pace.at(record.clock)
        if time.monotonic() - self._spoke >= self.every:
            self._spoke = time.monotonic()
            done = record.clock / max(1, self.budget)
            say(f"{self.title}: {record.clock:,} steps ({done:.0%}), {self.pace}, {losses(record)}")

    def finish(self, status: str) -> None:
        say(f"{self.title}: {status}")


class Bar:
    """One live line: steps of the budget, pace, last score, last losses."""

    def __init__(self, title: str, budget: int, stream: TextIO):
        self.pace = Pace(budget)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[score]}"),
            TextColumn("{task.fields[losses]}"),
            console=rich_console.Console(file=stream, markup=False),
            auto_refresh=False,  # drawn when a record comes: no thread to trip over a closed stream
            redirect_stdout=False,  # stdout is for results that are piped on
        )
        self._task = self._progress.add_task(title, total=budget, pace=str(self.pace), score="", losses="")
        self._drawn = 0.0
        self._progress.start()

    def write(self, record: Training | Evaluation) -> None:
        if isinstance(record, Evaluation):
            self._progress.update(self._task, score=score(record))
        else:
            self.pace.at(record.clock)
            self._progress.update(self._task, completed=record.clock, losses=losses(record))
            self._progress.update(self._task, pace=str(self.pace))
        if time.monotonic() - self._drawn >= REDRAW_SECONDS:
            self._drawn = time.monotonic()
            self._progress.refresh()

    def finish(self, status: str) -> None:
        self._progress.update(self._task, pace=status)
        self._progress.stop()


def score(record: Evaluation) -> str:
    error = standard_error(record.returns)
    text = f"{record.split} k={record.k}: return {mean(record.returns):.4g} ± {error:.2g}"
    return text if record.success is None else f"{text}, success {mean(record.success):.0%}"


def losses(record: Training) -> str:
    """The first few of the recipe's numbers, in the recipe's order."""
    return " ".join(f"{name} {value:.3g}" for name, value in list(record.metrics.items())[:LOSSES_SHOWN])


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
