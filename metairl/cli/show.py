"""Prints for people: rows as a table, and what the judge said of a run."""

import json
import sys
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation.statistics import standard_error
from metairl.tasks import catalogue

HELD_OUT = {"test": "held-out", "validation": "validation"}


def print_json(content: Any) -> None:
    json.dump(content, sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
    print()


def print_rows(rows: list[dict[str, Any]]) -> None:
    """A table whose columns are the first row's keys."""
    table = Table(box=None, pad_edge=False)
    for name in rows[0] if rows else ():
        table.add_column(name)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console().print(table)


def scores(evaluations: list[Evaluation], task: str) -> dict[str, Any]:
    """The last judged moment of one split, by episode and normalised."""
    card = catalogue.task(task)
    moment = [e for e in evaluations if e.clock == evaluations[-1].clock]
    by_episode = [np.array(e.returns, dtype=float) for e in moment]
    trial = np.sum(by_episode, axis=0)
    return {
        "task": task,
        "split": moment[0].split,
        "tasks": trial.size,
        "env_steps": moment[0].env_steps,
        "gradient_steps": moment[0].gradient_steps,
        "return": float(trial.mean()),
        "standard_error": standard_error(trial),
        "normalised": card.normalised(float(trial.mean()), len(moment)),
        "return_by_episode": [float(returns.mean()) for returns in by_episode],
        "length_by_episode": [float(np.mean(e.all_lengths)) for e in moment],
        "measures": {name: _mean(values) for name, values in (moment[-1].measures or {}).items()},
        "success_by_episode": [float(np.mean(e.success)) for e in moment if e.success is not None],
        "successful_length_by_episode": [_successful_length(e) for e in moment if e.success is not None],
    }


def _mean(values: list[float]) -> float | None:
    """Of the tasks where it is a number; None where it is none anywhere."""
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else None


def _successful_length(e: Evaluation) -> float | None:
    """Of the episodes that reached the goal; None where none did."""
    reached = [n for n, success in zip(e.all_lengths, e.success or (), strict=True) if success]
    return float(np.mean(reached)) if reached else None


def print_scores(folder: RunFolder) -> None:
    run = folder.description()
    split = run.get("judged", "test")
    judged = [r for r in folder.records() if isinstance(r, Evaluation) and r.split == split]
    found = scores(judged, run["task"])
    score = catalogue.task(run["task"]).score
    scale = f", normalised {found['normalised']:.3f} (0 random, 1 {score.expert_method})" if score else ""
    print(
        f"{run['method']} on {run['task']}, seed {run['seed']}: return {found['return']:.3f} "
        f"± {found['standard_error']:.3f} on {found['tasks']} {HELD_OUT[split]} tasks{scale}"
    )


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
