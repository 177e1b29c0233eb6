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
    json: bool = False  # print a list of objects


def main(words: list[str]) -> int:
    args = tyro.cli(List, prog="metairl list", description=__doc__, args=words)
    if args.kind not in KINDS:
        raise UsageError(f"no list of '{args.kind}'; {nearest(args.kind, KINDS)}")
    rows = KINDS[args.kind]()
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


def methods() -> Rows:
    from metairl.methods.registry import METHODS

    return [
        {
            "name": name,
            "title": method.title,
            "paper": method.paper,
            "support": method.support,
            "mode": method.mode,
            "encoder": method.encoder,
            "worlds": list(method.envs) if method.envs else None,
        }
        for name, method in METHODS.items()
    ]


def encoders() -> Rows:
    from metairl.agents.encoders import ENCODERS

    return [
        {"name": name, "title": (getdoc(getmodule(cls)) or "").partition("\n")[0], "sees_task": cls.sees_task}
        for name, (cls, _) in ENCODERS.items()
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
