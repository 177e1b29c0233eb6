"""Runs that are asked for, made by whatever crew is asked for; what did not complete is named at the end."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from metairl.core.errors import UsageError
from metairl.experiments.fleet.crew import Crew, Local
from metairl.experiments.fleet.fleet import Fleet
from metairl.experiments.fleet.jobs import Job, planned
from metairl.experiments.fleet.on_ray import OnRay
from metairl.experiments.fleet.slurm import script
from metairl.experiments.fleet.view import View


@dataclass(frozen=True)
class Manner:
    jobs: int = 1  # at a time
    engine: Literal["local", "ray", "slurm"] = "local"
    address: str | None = None  # of a Ray cluster
    threads: int | None = None  # of torch in each run; None: the cores are shared out
    gpus: float = 0.0  # that each run asks Ray for
    patience: float = 1800.0  # seconds without a word before a run is ended and tried again

    def __post_init__(self) -> None:
        if self.gpus < 0 or (self.gpus and self.engine != "ray"):
            raise UsageError(f"--gpus {self.gpus} is what a run asks Ray for: 0 or more, with --engine ray")

    @property
    def each(self) -> int:
        return self.threads or max(1, (os.cpu_count() or 1) // max(1, self.jobs))

    def crew(self) -> Crew:
        if self.engine == "ray":
            return OnRay(self.address, self.jobs, self.each, self.gpus)
        return Local(self.jobs, self.each)


def make(jobs: Sequence[Job], root: Path, manner: Manner) -> int:
    """How many did not complete. What else it needs to write stands below the root."""
    if not jobs:
        return 0
    if manner.engine == "slurm":
        print(script(planned(jobs), root, manner.jobs, manner.each), end="")
        return 0
    crew = manner.crew()  # what cannot be reached is said before folders are made
    with View() as view:
        rows = Fleet(crew, patience=manner.patience, watch=view).sail(planned(jobs))
    failed = [row for row in rows if row.state != "completed"]
    for row in failed:
        log = f"; see {row.job.log}" if row.job.log.exists() else ""
        print(f"metairl: missing: {row.job.name}: {row.why}{log}", file=sys.stderr)
    return len(failed)
