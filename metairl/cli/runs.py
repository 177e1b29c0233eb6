"""Runs below a folder: what each is, how it stands, and what it came to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from tyro.conf import Positional

from metairl.cli.show import print_json, print_rows
from metairl.core.errors import MetairlError
from metairl.core.records import Evaluation, RunFolder
from metairl.experiments.fleet.jobs import glance_at


@dataclass(frozen=True)
class Runs:
    root: Positional[Path] = Path("runs")  # the folder that they are below
    json: bool = False  # print a list


def main(words: list[str]) -> int:
    args = tyro.cli(Runs, prog="metairl runs", description=__doc__, args=words)
    rows = [_row(file.parent, args.root) for file in sorted(args.root.glob("**/run.json"))]
    if args.json:
        print_json(rows)
    elif rows:
        print_rows(rows)
    else:
        print(f"no runs below {args.root}")
    return 0


def _row(path: Path, root: Path) -> dict[str, Any]:
    folder = RunFolder(path)
    try:
        run = folder.description()
        seen = glance_at(folder)
        tested = [r for r in folder.records() if isinstance(r, Evaluation) and r.split == "test"]
    except MetairlError as fault:
        return {"run": str(path.relative_to(root)), "status": str(fault), "steps": 0, "of": 0, "return": None}
    final = sum(sum(e.returns) / len(e.returns) for e in tested) if tested else seen.score
    return {
        "run": str(path.relative_to(root)),
        "status": run["status"],
        "steps": seen.clock,
        "of": run["steps"],
        "return": None if final is None else round(final, 3),
    }
