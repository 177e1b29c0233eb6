"""Judge a run's newest checkpoint again, on held-out tasks. Writes nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from tyro.conf import Positional

from metairl.commands.show import print_json, scores
from metairl.record import RunFolder
from metairl.run import judge, reopen


@dataclass(frozen=True)
class Evaluate:
    folder: Positional[Path]  # the run's folder
    split: Literal["test", "validation"] = "test"
    threads: int | None = None  # of torch; by default as many as the run was trained with
    json: bool = False  # print one object


def main(words: list[str]) -> int:
    args = tyro.cli(Evaluate, prog="metairl evaluate", description=__doc__, args=words)
    folder = RunFolder(args.folder)
    run = folder.description()
    torch.set_num_threads(args.threads or run["threads"])
    asked, policy, spent = reopen(folder)
    found = scores(judge(asked, policy, args.split, spent), asked.task)
    if args.json:
        print_json({"method": asked.method, "encoder": asked.encoder, "seed": asked.seed} | found)
        return 0
    print(f"{asked.method} on {asked.task}, seed {asked.seed}, after {spent.env_steps:,} training steps")
    spread = f"± {found['standard_error']:.3f}  ({found['tasks']} {args.split} tasks)"
    print(f"  return      {found['return']:.3f} {spread}")
    print(f"  normalised  {found['normalised']:.3f}")
    if len(found["return_by_episode"]) > 1:
        print("  by episode  " + "  ".join(f"{value:.2f}" for value in found["return_by_episode"]))
    return 0
