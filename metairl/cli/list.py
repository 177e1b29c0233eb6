"""What there is: tasks, methods, encoders, tables or boards."""

from dataclasses import dataclass
from inspect import getdoc, getmodule
from typing import Any

import tyro
from tyro.conf import Positional

from metairl.cli.show import print_json, print_rows
from metairl.core.errors import UsageError, nearest
from metairl.tasks import catalogue

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class List:
    kind: Positional[str]  # tasks, methods, encoders, tables or boards
    task: str | None = None  # only methods that run on this task
    json: bool = False  # print a list of objects


def main(words: list[str]) -> int:
    args = tyro.cli(List, prog="metairl list", description=__doc__, args=words)
    if args.kind not in KINDS:
        raise UsageError(f"no list of '{args.kind}'; {nearest(args.kind, KINDS)}")
    if args.task and args.kind != "methods":
        raise UsageError("--task goes with: metairl list methods")
    rows = methods(args.task) if args.kind == "methods" else KINDS[args.kind]()
    print_json(rows) if args.json else print_rows(rows)
    return 0


def tasks() -> Rows:
    rows = []
    for name in catalogue.task_ids():
        card = catalogue.task(name)
        rows.append({
            "name": card.id,
            "short": name.rpartition("-v")[0],
            "title": card.title,
            "settings": sorted(card.settable),
            "horizon": card.horizon,
            "episodes": card.episodes,
            "train": card.split.train,
            "test": card.split.test,
            "gymnasium": f"metairl/{card.id}",
            "tags": card.tags,
        })  # fmt: skip
    return rows


def methods(task: str | None = None) -> Rows:
    from metairl.methods.registry import METHODS

    return [
        {
            "name": name,
            "title": method.title,
            "paper": method.paper,
            "support": method.support,
            "problem": method.problem,
            "regimes": list(method.regimes) if method.recipe or method.problem == "known-dynamics" else [],
            "encoder": method.encoder,
            "envs": list(method.envs) if method.envs else None,
        }
        for name, method in METHODS.items()
        if task is None or method.envs is None or catalogue.task(task).world in method.envs
    ]


def encoders() -> Rows:
    from metairl.agents.encoders import ENCODERS

    return [
        {
            "name": name,
            "title": (getdoc(getmodule(part.cls)) or "").partition("\n")[0],
            "sees_task": part.cls.sees_task,
        }
        for name, part in ENCODERS.items()
    ]


def tables() -> Rows:
    return [
        {
            "name": name,
            "title": card.title,
            "paper": card.paper,
            "rows": len(card.rows),
            "columns": len(card.columns),
        }
        for name, card in catalogue.tables().items()
    ]


def boards() -> Rows:
    return [
        {
            "name": name,
            "title": card.title,
            "rules": card.rules,
            "support": card.support,
            "tasks": list(dict.fromkeys(c.task for c in card.columns)),
        }
        for name, card in catalogue.boards().items()
    ]


KINDS = {"tasks": tasks, "methods": methods, "encoders": encoders, "tables": tables, "boards": boards}
