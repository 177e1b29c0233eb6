"""Go on with a run, or begin one that was planned, as its folder says."""

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from tyro.conf import Positional

from metairl.cli.show import print_scores
from metairl.core.records import RunFolder
from metairl.experiments.request import read_request
from metairl.experiments.run import execute
from metairl.experiments.tracking import Console, Mode, Wandb


@dataclass(frozen=True)
class Resume:
    folder: Positional[Path]  # the run's folder
    threads: int | None = None  # of torch; by default those that it was begun with
    wandb: Mode = "disabled"  # where to log to


def main(words: list[str]) -> int:
    args = tyro.cli(Resume, prog="metairl resume", description=__doc__, args=words)
    folder = RunFolder(args.folder)
    if threads := args.threads or folder.description().get("threads"):
        torch.set_num_threads(threads)
    execute(read_request(folder), args.folder, [Console(), Wandb(args.wandb)])
    print_scores(folder)
    return 0
