"""A crew on Ray: the same workers as tasks of a cluster, whose nodes share the folder of runs.

A task asks for its cores, and for a share of a GPU if it is to have one. Ray does not try a task again: the
fleet does, from the run's checkpoint, so a worker or a node that is lost costs what was done since.
"""

import os
import socket
from collections.abc import Iterator
from typing import Any

from metairl.core.errors import UsageError
from metairl.experiments.fleet.jobs import Job
from metairl.experiments.fleet.worker import as_task

REACHED = 3.0  # seconds that an address has to be reached in, and to answer in
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # with no settings
SETTINGS = 4  # the kind of frame that such a greeting is answered with, its fourth byte
LOST = -9  # what a task ends with whose process or node is gone


class OnRay:
    def __init__(self, address: str | None, workers: int, threads: int, gpus: float = 0.0):
        """At an address, HOST:PORT, or on a cluster of this machine's cores that ends with the fleet."""
        ray = _ray()
        if address:
            _require_answer(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        here = {} if address else {"num_cpus": workers * threads}
        ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False, **here)
        self.ray, self.threads, self.workers = ray, threads, workers
        self.task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)(as_task)
        self.active: dict[Job, Any] = {}

    def room(self) -> int:
        return self.workers - len(self.active)

    def start(self, job: Job) -> None:
        self.active[job] = self.task.remote(str(job.path.resolve()), self.threads, str(job.log.resolve()))

    def finished(self) -> Iterator[tuple[Job, int]]:
        jobs = {ref: job for job, ref in self.active.items()}
        ready, _ = self.ray.wait(list(jobs), num_returns=len(jobs), timeout=0) if jobs else ([], [])
        for ref in ready:
            del self.active[jobs[ref]]
            yield jobs[ref], self._code(ref)

    def stop(self, job: Job, at_once: bool) -> None:
        self.ray.cancel(self.active[job], force=at_once)

    def close(self) -> None:
        self.active.clear()
        self.ray.shutdown()

    def _code(self, ref: Any) -> int:
        try:
            code: int = self.ray.get(ref)
        except self.ray.exceptions.RayError:
            return LOST
        return code


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--engine ray needs Ray: install metairl's extra 'ray', or the package 'ray'"
        ) from None
    return ray


def _require_answer(address: str) -> None:
    """Ray itself waits for minutes where nothing answers; its head speaks HTTP/2, which is quick to ask."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--address is HOST:PORT, not '{address}'")
    try:
        with socket.create_connection((host, int(port)), REACHED) as line:
            line.sendall(GREETING)
            answer = line.recv(9)
    except OSError as fault:
        raise UsageError(f"no Ray answers at {address} ({fault.strerror or fault})") from None
    if answer[3:4] != bytes([SETTINGS]):
        raise UsageError(f"no Ray answers at {address} (something else does)")
