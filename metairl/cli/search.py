"""Choose a method's settings for a task by random search, judged on validation tasks, never on test tasks.

The same words again go on, and more trials go on from fewer; the plan is runs side by side as any other.
"""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from tyro.conf import Positional

from metairl.cli.show import print_json, print_rows
from metairl.core.errors import Diverged, RunsMissing
from metairl.experiments import search
from metairl.experiments.fleet.making import Manner, make
from metairl.experiments.search import Candidate


@dataclass(frozen=True)
class Search:
    method: Positional[str]  # see `metairl list methods`
    task: Positional[str]  # see `metairl list tasks`
    encoder: str | None = None  # by default the method's own
    space: str | None = None  # a card in benchmarks/search; by default the one that is meant for the method
    trials: int = 10  # settings that are tried, the tuned ones first
    seeds: int = 1  # runs of each
    budget: int | None = None  # training steps of all runs together; by default each has the tuned budget
    out: Path | None = None  # by default runs/search/METHOD/TASK
    jobs: int = 1  # runs at a time
    engine: Literal["local", "ray", "slurm"] = "local"  # who runs them; slurm prints a script and stops
    address: str | None = None  # of a Ray cluster, HOST:PORT; by default one of this machine's cores
    threads: int | None = None  # of torch in each run; by default the cores are shared out
    gpus: float = 0.0  # that each run asks Ray for; 0.25: four runs share one
    patience: float = 1800.0  # seconds that a run may write nothing in before it is ended and tried again
    json: bool = False  # print one object


def main(words: list[str]) -> int:
    args = tyro.cli(Search, prog="metairl search", description=__doc__, args=words)
    wanted = search.wanted(
        args.method, args.task, args.encoder, args.space, args.trials, args.seeds, args.budget
    )
    out = args.out or Path("runs") / "search" / args.method / args.task.replace(":", "_")
    candidates = search.plan(wanted, out)
    jobs = [job for candidate in candidates if not candidate.out for job in candidate.jobs]
    print(f"{len(jobs)} runs of {wanted.steps:,} training steps, on validation tasks", file=sys.stderr)
    make(jobs, out, Manner(args.jobs, args.engine, args.address, args.threads, args.gpus, args.patience))
    if args.engine == "slurm":
        return 0
    if any(not candidate.tried for candidate in candidates):
        return RunsMissing.code
    return _choose(args, wanted, candidates, out)


def _choose(args: Search, wanted: search.Search, candidates: list[Candidate], out: Path) -> int:
    chosen, spent = search.best(candidates), sum(candidate.spent for candidate in candidates)
    if chosen is None:
        raise Diverged(f"{out}: no candidate has a number to be chosen by")
    file = out / "chosen.toml"
    search.write(wanted, chosen, spent, file)
    if args.json:
        rows = [_row(candidate) | {"values": candidate.drawn} for candidate in candidates]
        print_json({"trials": rows, "chosen": chosen.index, "searched": spent, "file": str(file)})
        return 0
    print_rows([_row(candidate) | {"changes": _words(candidate.drawn)} for candidate in candidates])
    command = ["metairl", "train", args.method, args.task, *search.flags(wanted.values(chosen.index))]
    print(f"trial {chosen.index} is chosen, {spent:,} training steps spent; as a tuned card: {file}")
    print(shlex.join(command))
    return 0


def _row(candidate: Candidate) -> dict[str, Any]:
    score = candidate.score
    return {
        "trial": candidate.index,
        "return": None if score != score else round(score, 4),
        "steps": candidate.spent,
    }


def _words(values: search.Values) -> str:
    return " ".join(search.flags(values)) or "as tuned"
