"""Who does the work of a fleet: processes of this machine by default, others by the same interface."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from typing import Protocol

from metairl.core.errors import UsageError
from metairl.experiments.fleet.jobs import Job
from metairl.experiments.fleet.worker import main

IMPORTED = (
    "metairl.experiments.fleet.worker",
    "torch._dynamo",
)  # the first optimiser of a process imports the latter


class Crew(Protocol):
    def room(self) -> int:
        """How many jobs more it can take now."""
        ...

    def start(self, job: Job) -> None: ...

    def finished(self) -> Iterator[tuple[Job, int]]:
        """Jobs that ended since it was asked last, with exit codes; negative: the signal that killed it."""
        ...

    def stop(self, job: Job, at_once: bool) -> None:
        """Ask a job to keep its checkpoint and end, or end it."""
        ...

    def close(self) -> None: ...


class Local:
    """A process a job, forked from one that has imported everything already and done nothing yet.

    So a run costs no start-up, and what crashes one worker leaves the others alone.
    """

    def __init__(self, workers: int, threads: int):
        if workers < 1:
            raise UsageError(f"--jobs must be 1 or more, not {workers}")
        self.workers, self.threads = workers, threads
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(IMPORTED))
        self.active: dict[Job, BaseProcess] = {}

    def room(self) -> int:
        return self.workers - len(self.active)

    def start(self, job: Job) -> None:
        process = self.context.Process(target=main, args=(job.path, self.threads, job.log), daemon=True)
        process.start()
        self.active[job] = process

    def finished(self) -> Iterator[tuple[Job, int]]:
        for job, process in list(self.active.items()):
            if process.exitcode is not None:
                process.join()
                del self.active[job]
                yield job, process.exitcode

    def stop(self, job: Job, at_once: bool) -> None:
        process = self.active.get(job)
        if process is not None and process.pid and process.is_alive():
            os.kill(process.pid, signal.SIGKILL if at_once else signal.SIGTERM)

    def close(self) -> None:
        for job in list(self.active):
            self.stop(job, at_once=True)
        for process in self.active.values():
            process.join()
        self.active.clear()
