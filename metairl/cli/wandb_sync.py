"""Send a run's records to Weights & Biases again, from records.jsonl alone."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional

from metairl.core.records import RunFolder
from metairl.experiments.tracking import Mode, resend


@dataclass(frozen=True)
class WandbSync:
    folder: Positional[Path]  # the run's folder
    mode: Mode = "auto"  # auto: online where a key is present, else an offline copy


def main(words: list[str]) -> int:
    args = tyro.cli(WandbSync, prog="metairl wandb-sync", description=__doc__, args=words)
    print(f"{resend(RunFolder(args.folder), args.mode)} records sent")
    return 0
