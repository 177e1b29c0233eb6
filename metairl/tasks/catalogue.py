"""Finds cards by name and resolves the settings a person asked for.

Cards live in tasks/ and benchmarks/ beside the package; every folder named in METAIRL_PATH may hold more.
A task is asked for by short name (`bandit-5`, the newest version), by id (`bandit-5-v1`), or with settings
that its card allows (`bandit-5:pulls=100`).
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from metairl.core.errors import CardError, UsageError, nearest
from metairl.tasks.cards import SUPPORT_SIZES, BoardCard, Card, TableCard, TaskCard, read, read_toml
from metairl.tasks.constitution_card import Constitution
from metairl.tasks.metaworld_boxes import NAMES
from metairl.tasks.search_space_card import Space

PACKAGE = Path(__file__).parents[1]
MOST = 2**32 - 1  # seeds of numpy's global generator, and one for the seed after


def shelves() -> list[Path]:
    """Folders that may hold tasks/ and benchmarks/: the project's own first, then METAIRL_PATH."""
    installed = PACKAGE / "_shipped"
    own = installed if installed.is_dir() else PACKAGE.parent
    extra = os.environ.get("METAIRL_PATH", "")
    return [own, *(Path(folder) for folder in extra.split(os.pathsep) if folder)]


def task_ids() -> list[str]:
    return sorted(_files("tasks"))


def task(asked: str) -> TaskCard:
    """The card for a name as a person types it, its settings applied."""
    name, _, settings = asked.partition(":")
    card = _task_card(_files("tasks")[_task_id(name)])
    return _with_settings(card, settings) if settings else card


def task_name(asked: str) -> str:
    """The full name of what was asked for, every setting said: `bandit-5-v1:pulls=10`."""
    return _full_name(task(asked))


def _full_name(card: TaskCard) -> str:
    values = {name: getattr(card, field) for name, field in sorted(card.settable.items())}
    settings = ",".join(f"{name}={value}" for name, value in values.items() if value is not None)
    return f"{card.id}:{settings}" if settings else card.id


def tables() -> dict[str, TableCard]:
    return {name: _named(path, TableCard) for name, path in sorted(_files("benchmarks/tables").items())}


def table(name: str) -> TableCard:
    files = _files("benchmarks/tables")
    if name not in files:
        raise UsageError(f"no table '{name}'; {nearest(name, files)}")
    return _named(files[name], TableCard)


def boards() -> dict[str, BoardCard]:
    return {name: _named(path, BoardCard) for name, path in sorted(_files("benchmarks/boards").items())}


def constitution(name: str) -> Constitution:
    files = _files("benchmarks/constitutions")
    if name not in files:
        raise UsageError(f"no constitution '{name}'; {nearest(name, files)}")
    return _named(files[name], Constitution)


def spaces() -> dict[str, Space]:
    return {name: _named(path, Space) for name, path in sorted(_files("benchmarks/search").items())}


def tuned(method: str, asked: str) -> tuple[dict[str, Any], Path | None]:
    """What a method was tuned to on a task, whatever it shows of it.

    An entry without settings means the card's own.
    """
    wanted, found = _tuned_name(asked), None
    for shelf in shelves():  # one's own tasks may be tuned for beside the suite's
        path = shelf / "benchmarks" / "tuned" / f"{method}.toml"
        entries = read_toml(path) if path.exists() else {}
        for values in (values for name, values in entries.items() if _tuned_name(name) == wanted):
            if found:
                raise CardError(f"{path}: '{asked}' is tuned already, {found[1]}")
            found = dict(values), path
    return found or ({}, None)


def _tuned_name(asked: str) -> str:
    return _full_name(task(asked).model_copy(update=dict.fromkeys(SUPPORT_SIZES)))


def _files(folder: str) -> dict[str, Path]:
    """Cards of one kind by name. Two shelves may not hold the same name: a table cites a card by it."""
    found: dict[str, Path] = {}
    for shelf in shelves():
        for path in sorted((shelf / folder).glob("*.toml")):
            if path.stem in found:
                raise CardError(f"{path}: there is a '{path.stem}' already, {found[path.stem]}")
            found[path.stem] = path
    return found


def _named(path: Path, schema: type[Card]) -> Card:
    card = read(path, schema)
    if card.model_dump()["id"] != path.stem:
        raise CardError(f"{path}: 'id' must be the file's name, '{path.stem}'")
    return card


@cache
def _task_card(path: Path) -> TaskCard:
    return _named(path, TaskCard)


def _task_id(name: str) -> str:
    ids = _files("tasks")
    if name in ids:
        return name
    versions = [id for id in ids if re.fullmatch(re.escape(name) + r"-v\d+", id)]
    if not versions:
        raise UsageError(f"no task '{name}'; {nearest(name, {id.rpartition('-v')[0] for id in ids})}")
    return max(versions, key=lambda id: int(id.rpartition("-v")[2]))


OF_LOGS = {"demos": "expert", "labels": "replay", "comparisons": "replay"}  # and logs they may be of


def _with_settings(card: TaskCard, settings: str) -> TaskCard:
    for key, value in _pairs(card.id, settings):
        if key not in card.settable:
            hint = nearest(key, card.settable) if card.settable else "it has no settings"
            raise UsageError(f"task '{card.id}' has no setting '{key}'; {hint}")
        card = _with_setting(card, key, value)
    for field, named in OF_LOGS.items():
        if getattr(card, field) and card.data is None:
            asked = f"data={named},{field}={getattr(card, field)}"
            raise UsageError(f"task '{card.id}': say of which logs, as in {asked}")
    return card


def _with_setting(card: TaskCard, key: str, value: str) -> TaskCard:
    field = card.settable[key]
    match field:
        case "skill":
            name = value if value in NAMES else f"{value}-v3"
            if name not in NAMES:
                raise UsageError(f"no Meta-World task '{value}'; {nearest(value, NAMES)}")
            return _with_goals(card, train=[name], test=[name])
        case "goals":
            if value == "ours":
                return _with_goals(card, package=None)
            if not re.fullmatch(r"package-\d+", value):
                raise UsageError(f"task '{card.id}': 'goals' must be 'ours' or 'package-SEED', not '{value}'")
            seed = int(value.removeprefix("package-"))
            if seed >= MOST:
                raise UsageError(f"task '{card.id}': a seed of the package is below {MOST}, not {seed}")
            return _with_goals(card, package=seed)
        case "data":
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
                raise UsageError(
                    f"task '{card.id}': 'data' is the name of logs, as in data=replay, not '{value}'"
                )
            return card.model_copy(update={"data": value})
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"task '{card.id}': '{key}' must be a whole number above 0, not '{value}'")
    return card.model_copy(update={field: int(value)})


def _with_goals(card: TaskCard, **changes: Any) -> TaskCard:
    """Multi-task benchmarks of the package test on the goals that they train on."""
    law = card.skill_goals.model_copy(update=changes)
    again = law.package is not None and law.train == law.test and not law.package_next
    return card.model_copy(update={"parameters": {"goal": law}, "same_tasks": again})


def _pairs(name: str, settings: str) -> Iterator[tuple[str, str]]:
    for pair in settings.split(","):
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"task '{name}': write a setting as name=value, not '{pair}'")
        yield key, value
