"""What a process of a fleet does: one run, from where it stands, with what it says in its folder's log."""

import os
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import torch

from metairl.core.errors import MetairlError
from metairl.core.records import RunFolder
from metairl.experiments.request import read_request
from metairl.experiments.run import execute

CRASHED, INTERRUPTED = 1, 130


def work(path: Path, threads: int) -> int:
    """Its exit code: 0 once the run is complete, else that of its failure."""
    torch.set_num_threads(threads)
    try:
        execute(read_request(RunFolder(path)), path, [])
    except MetairlError as fault:
        print(f"metairl: {fault}", file=sys.stderr)
        return fault.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return CRASHED
    return 0


def as_task(path: str, threads: int, log: str) -> int:
    """In a process of a cluster, which does one job after another."""
    with Path(log).open("a") as said, redirect_stdout(said), redirect_stderr(said):
        return work(Path(path), threads)


def main(path: Path, threads: int, log: Path) -> None:
    """In a forked process, whose standard output and error are the log."""
    with suppress(OSError), log.open("a") as said:  # a disk may refuse even that: then on the terminal
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    code = work(path, threads)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
