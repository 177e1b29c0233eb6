"""A fleet for people: one live table on a terminal, a line a change anywhere else. All of it on stderr."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from metairl.experiments.fleet.fleet import Row, State
from metairl.experiments.fleet.jobs import Glance, Job, glance
from metairl.experiments.tracking.console import draws

EVERY = 2.0  # seconds between glances into records
EACH = 0.02  # and for every run that is glanced at: hundreds of them are many reads on a shared disk
MAX_ROWS = 20  # rows of a table
ORDER: tuple[State, ...] = ("failed", "running", "elsewhere", "waiting", "completed")


@dataclass
class Pace:
    """How fast a run goes, since it was first looked at."""

    first: tuple[float, int] | None = None
    now: Glance = field(default_factory=Glance)

    def look(self, job: Job) -> None:
        self.now = glance(job)
        self.first = self.first or (time.monotonic(), self.now.clock)

    @property
    def per_second(self) -> float:
        if self.first is None:
            return 0.0
        began, clock = self.first
        return (self.now.clock - clock) / max(time.monotonic() - began, 1e-9)


class View:
    """Hand it to a fleet as what watches."""

    def __init__(self) -> None:
        self.paces: dict[Job, Pace] = {}
        self.said: dict[Job, str] = {}
        self.looked = -EVERY
        self.live = Live(console=Console(stderr=True), transient=True) if draws(sys.stderr) else None

    def __enter__(self) -> "View":
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if self.said.get(row.job, "waiting") != row.state:
                self._say(row)
            self.said[row.job] = row.state
        running = [row for row in rows if row.state == "running"]
        if not self.live or time.monotonic() - self.looked < max(EVERY, EACH * len(running)):
            return
        self.looked = time.monotonic()
        for row in running:
            self.paces.setdefault(row.job, Pace()).look(row.job)
        self.live.update(self._table(rows))

    def _say(self, row: Row) -> None:
        words = f"{row.state}: {row.job.name}" + (f" ({row.why})" if row.why else "")
        if self.live:
            if row.state in ("completed", "failed"):
                self.live.console.print(words, highlight=False, markup=False)
        else:
            print(words, file=sys.stderr, flush=True)

    def _table(self, rows: Sequence[Row]) -> Table:
        counts: Counter[State] = Counter(row.state for row in rows)
        title = ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state])
        table = Table("run", "state", "steps", "steps/s", "left", "return", box=None, title=title)
        for row in sorted(rows, key=lambda row: ORDER.index(row.state))[:MAX_ROWS]:
            table.add_row(row.job.name, row.state, *self._progress(row))
        return table

    def _progress(self, row: Row) -> tuple[str, ...]:
        pace = self.paces.get(row.job)
        if row.state != "running" or pace is None:
            return "", "", "", ""
        left = row.job.request.steps - pace.now.clock
        eta = f"{left / pace.per_second / 60:.0f} min" if pace.per_second > 0 else ""
        score = "" if pace.now.score is None else f"{pace.now.score:.2f}"
        return f"{pace.now.clock:,}", f"{pace.per_second:,.0f}", eta, score
