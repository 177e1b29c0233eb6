"""What a process of a fleet does: one run, from where it stands, with what it says in its folder's log."""

import os
import sys
import traceback
from pathlib import Path

import torch

from metairl.errors import MetairlError
from metairl.record import RunFolder
from metairl.request import requested
from metairl.run import execute

CRASHED, INTERRUPTED = 1, 130


def work(path: Path, threads: int) -> int:
    """Its exit code: 0 once the run is complete, else that of its failure."""
    torch.set_num_threads(threads)
    try:
        execute(requested(RunFolder(path)), path, [])
    except MetairlError as fault:
        print(f"metairl: {fault}", file=sys.stderr)
        return fault.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return CRASHED
    return 0


def main(path: Path, threads: int, log: Path) -> None:
    """In a process of its own, whose standard error is the log."""
    with log.open("a") as said:
        os.dup2(said.fileno(), 2)
        os.dup2(said.fileno(), 1)
    os._exit(_flushed(work(path, threads)))


def _flushed(code: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    return code
