"""A plan as a Slurm job array: a script, and a list of folders of which every task of the array does one."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from metairl.experiments.fleet.jobs import Job

SCRIPT = """\
#!/bin/bash
#SBATCH --job-name=metairl
#SBATCH --array=1-{count}%{at_once}
#SBATCH --cpus-per-task={threads}
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
# Every task goes on with one run. After a preemption the same script goes on where they were.
run=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {listed})
exec {python} -m metairl resume "$run" --threads {threads}
"""


def script(jobs: Sequence[Job], root: Path, at_once: int, threads: int) -> str:
    """The script; the list stands beside the runs."""
    listed = root / "slurm-array.txt"
    listed.write_text("".join(f"{job.path.resolve()}\n" for job in jobs))
    return SCRIPT.format(
        count=len(jobs),
        at_once=at_once,
        threads=threads,
        listed=shlex.quote(str(listed.resolve())),
        python=shlex.quote(sys.executable),
    )
