"""Runs that are asked for, made by whatever crew is asked for; what did not complete is named at the end."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from metairl.fleet.crew import Crew, Local
from metairl.fleet.fleet import Fleet
from metairl.fleet.jobs import planned
from metairl.fleet.on_ray import OnRay
from metairl.fleet.slurm import script
from metairl.fleet.view import View
from metairl.request import Request


@dataclass(frozen=True)
class Manner:
    jobs: int = 1  # at a time
    engine: Literal["local", "ray", "slurm"] = "local"
    address: str | None = None  # of a Ray cluster
    threads: int | None = None  # of torch in each run; None: the cores are shared out

    @property
    def each(self) -> int:
        return self.threads or max(1, (os.cpu_count() or 1) // max(1, self.jobs))

    def crew(self) -> Crew:
        if self.engine == "ray":
            return OnRay(self.address, self.jobs, self.each)
        return Local(self.jobs, self.each)


def make(requests: Sequence[Request], root: Path, manner: Manner) -> int:
    """How many did not complete."""
    if not requests:
        return 0
    if manner.engine == "slurm":
        jobs = planned(requests, root)
        print(script(jobs, root, manner.jobs, manner.each), end="")
        return 0
    crew = manner.crew()  # what cannot be reached is said before folders are made
    with View() as view:
        rows = Fleet(crew, watch=view).sail(planned(requests, root))
    failed = [row for row in rows if row.state != "completed"]
    for row in failed:
        print(f"metairl: missing: {row.job.name}: {row.why}; see {row.job.log}", file=sys.stderr)
    return len(failed)
