"""Jobs and a crew: each job once at a time, again where that may help, and a word on every one of them.

    0                       completed
    4, taken                another fleet or person is at work on it: looked at again later
    2, 3, 5, 7, 8, 9, 13    it would fail the same way again: failed, with its own words
    else                    killed, crashed, hung, out of disk: again from its checkpoint, so many times

A job hangs if it writes nothing for so long. Time is measured by a clock that no one sets.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from metairl.core.errors import (
    CardError,
    DamagedFile,
    Diverged,
    Incompatible,
    Infeasible,
    PhysicsError,
    RunConflict,
    UsageError,
)
from metairl.experiments.fleet.crew import Crew
from metairl.experiments.fleet.jobs import Job

State = Literal["waiting", "running", "elsewhere", "completed", "failed"]
ENDS = ("completed", "failed")
HOPELESS = frozenset(
    kind.code
    for kind in (UsageError, CardError, DamagedFile, Diverged, PhysicsError, Infeasible, Incompatible)
)
LOOK = 0.05  # seconds between looks
AGAIN = 2.0  # seconds before a job that was taken is looked at again
CHECKS = 60  # looks at what a worker wrote, in the time that it may say nothing
GRACE = 60.0  # seconds to keep a checkpoint in, when all is to stop


@dataclass
class Row:
    """A job, and how it fares."""

    job: Job
    state: State = "waiting"
    tries: int = 0
    why: str = ""  # it failed
    stamp: object = None  # when it wrote last, and since when nothing changed
    since: float = 0.0
    not_before: float = 0.0
    hung: bool = False  # it was ended for saying nothing


def _row(job: Job) -> Row:
    if job.fault:
        return Row(job, "failed", why=job.fault)
    return Row(job, "completed" if job.completed() else "waiting")


Watch = Callable[[Sequence[Row]], None]


@dataclass
class Fleet:
    crew: Crew
    tries: int = 3  # starts of a job, before it counts as failed
    patience: float = 1800.0  # seconds without a word
    watch: Watch = lambda rows: None
    rows: list[Row] = field(default_factory=list)
    checked: float = 0.0  # when it was last looked at who hangs

    def sail(self, jobs: Sequence[Job]) -> list[Row]:
        """Until every job is completed or failed. Ctrl-C asks all workers to keep what they have."""
        self.rows = [_row(job) for job in jobs]
        by_job = {row.job: row for row in self.rows}
        waiting = deque(row for row in self.rows if row.state == "waiting")
        try:
            while any(row.state not in ENDS for row in self.rows):
                for job, code in self.crew.finished():
                    self._settle(by_job[job], code)
                    if by_job[job].state not in ENDS:
                        waiting.append(by_job[job])
                self._start(waiting)
                self._lose_patience()
                self.watch(self.rows)
                time.sleep(LOOK)
        except KeyboardInterrupt:
            self._come_home()
            raise
        finally:
            self.crew.close()
        self.watch(self.rows)
        return self.rows

    def _start(self, waiting: deque[Row]) -> None:
        now = time.monotonic()
        ready = [row for row in waiting if row.not_before <= now][: max(0, self.crew.room())]
        for row in ready:
            waiting.remove(row)
            row.state, row.tries = "running", row.tries + 1
            row.stamp, row.since, row.hung = row.job.stamp(), now, False
            self.crew.start(row.job)

    def _settle(self, row: Row, code: int) -> None:
        if code == 0 and row.job.completed():
            row.state = "completed"
        elif code == RunConflict.code:
            row.state, row.tries = "elsewhere", row.tries - 1
            row.not_before = time.monotonic() + AGAIN
            row.state = "completed" if row.job.completed() else row.state
        elif code in HOPELESS or row.tries >= self.tries:
            row.state, row.why = "failed", self._why(row, code)
        else:
            row.state = "waiting"

    def _why(self, row: Row, code: int) -> str:
        ended = f"killed by signal {-code}" if code < 0 else row.job.complaint() or f"exit code {code}"
        if row.hung:
            ended = f"no word for {self.patience:g} s"
        return f"{ended} (tried {row.tries} times)" if row.tries > 1 else ended

    def _lose_patience(self) -> None:
        now = time.monotonic()
        if now - self.checked < self.patience / CHECKS:  # every look asks the disk about every worker
            return
        self.checked = now
        for row in self.rows:
            if row.state != "running":
                continue
            stamp = row.job.stamp()
            if stamp != row.stamp:
                row.stamp, row.since = stamp, now
            elif now - row.since > self.patience:
                self.crew.stop(row.job, at_once=True)
                row.since, row.hung = now, True

    def _come_home(self) -> None:
        """Workers end after the iteration at hand; those that do not are ended."""
        active = [row for row in self.rows if row.state == "running"]
        for row in active:
            self.crew.stop(row.job, at_once=False)
        deadline = time.monotonic() + GRACE
        home: set[Job] = set()
        while len(home) < len(active) and time.monotonic() < deadline:
            home |= {job for job, _ in self.crew.finished()}
            time.sleep(LOOK)
