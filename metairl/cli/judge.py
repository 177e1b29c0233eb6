"""Judge an agent that was made outside of this package, as every method is; its run can be submitted."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional

from metairl.cli.show import print_json, scores
from metairl.core.records import Evaluation, RunFolder
from metairl.experiments import external_agents


@dataclass(frozen=True)
class Judge:
    agent: Positional[str]  # MODULE:FACTORY, looked for from the current folder; see docs/submit.md
    task: Positional[str]  # see `metairl list tasks`
    out: Path  # the run folder to write
    seed: int = 0  # of the agent's training, and of the judge's worlds
    json: bool = False  # print one object


def main(words: list[str]) -> int:
    args = tyro.cli(Judge, prog="metairl judge", description=__doc__, args=words)
    folder = RunFolder(args.out)
    run = external_agents.judge(args.agent, args.task, args.seed, folder)
    judged = [record for record in folder.records() if isinstance(record, Evaluation)]
    found = scores(judged, run["task"])
    if args.json:
        print_json({"method": run["method"], "seed": run["seed"]} | found)
        return 0
    print(f"{run['method']} on {run['task']}, seed {run['seed']}, {found['tasks']} test tasks")
    print(f"  return      {found['return']:.3f} ± {found['standard_error']:.3f}")
    if found["normalised"] is not None:
        print(f"  normalised  {found['normalised']:.3f}")
    print(f"kept in {args.out}; submit it with: metairl submit {args.out} --board BOARD --out FOLDER")
    return 0
