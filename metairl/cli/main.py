"""The command line: finds the verb, runs it, turns failures into one line and an exit code.

A verb is a module of `metairl.cli` with a `main(words) -> exit code`; it is imported only when asked
for, so `metairl --help` answers at once. Results go to stdout, progress and complaints to stderr.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from metairl import __version__
from metairl.core.errors import MetairlError, UsageError, nearest

VERBS = {
    "list": "what there is: metairl list tasks|methods|encoders|tables|boards [--json]",
    "train": "meta-train a method on a task, or go on with it: metairl train METHOD TASK --out DIR",
    "evaluate": "judge runs' newest checkpoints on held-out tasks: metairl evaluate DIR... [--on TASK...]",
    "collect": "episodes of an expert as a Minari dataset: metairl collect TASK --episodes N --out DIR",
    "prefer": "compare clips of logs on a page in your browser: metairl prefer TASK:data=NAME --out FILE",
    "reproduce": "a paper's table beside ours: metairl reproduce TABLE [--run]",
    "search": "choose a method's settings on validation tasks: metairl search METHOD TASK --trials N",
    "resume": "go on with a run, or begin a planned one: metairl resume DIR",
    "runs": "what there is below a folder, and how it stands: metairl runs [DIR] [--json]",
    "judge": "an agent from outside, by the same judge: metairl judge MODULE:FACTORY TASK --out DIR",
    "submit": "make a submission of finished runs: metairl submit DIR... --board BOARD --out FOLDER",
    "board": "leaderboards: metairl board check|rerun|accept|withdraw|build|serve|schema",
    "wandb-sync": "send a run's records to Weights & Biases again: metairl wandb-sync DIR",
    "doctor": "what works on this machine: versions, devices, rendering, W&B, disk",
}
INTERRUPTED, BROKEN_PIPE = 130, 141
EXIT_CODES = (
    "exit codes: 0 done, 2 usage, 3 bad card, 4 run folder in use or of another run, 5 damaged file, \
6 storage, 7 diverged, 8 physics, 9 demonstrations without an explanation, 10 submission refused, \
11 runs missing, 12 no answer from a judge, 13 run folder of another version, 130 interrupted"
)


def main(words: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if words is None else words)
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    try:
        return _run(words[0], words[1:])
    except MetairlError as fault:
        print(f"metairl: {fault}", file=sys.stderr)
        return fault.code
    except KeyboardInterrupt:
        print("metairl: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def overview() -> str:
    head = f"metairl {__version__}: meta-train any method on a task distribution, judge all by one meta-test."
    verbs = [f"  {name:<11} {summary}" for name, summary in VERBS.items()]
    return "\n".join([head, "", *verbs, "", "metairl VERB --help lists a verb's options.", EXIT_CODES])


def _run(verb: str, words: list[str]) -> int:
    if verb not in VERBS:
        raise UsageError(f"no verb '{verb}'; {nearest(verb, VERBS)}")
    module = import_module(f"metairl.cli.{verb.replace('-', '_')}")
    code: int = module.main(words)
    return code
