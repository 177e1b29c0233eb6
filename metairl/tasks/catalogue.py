"""Finds cards by name and applies task settings.

Cards are files in tasks/ and benchmarks/ beside the package, and in the same subfolders of every folder of
METAIRL_PATH. A task is named by its short name (`bandit-5`, the newest version), its id (`bandit-5-v1`), or
either with settings that its card allows (`bandit-5:pulls=100`).
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
from metairl.tasks.metaworld_boxes import NAMES, unknown_skill
from metairl.tasks.search_space_card import Space

PACKAGE = Path(__file__).parents[1]
SEED_LIMIT = 2**32 - 1  # numpy's seeds are below 2³², and `package_next` uses the seed after


def card_folders() -> list[Path]:
    """Folders with tasks/ and benchmarks/: the project's own, then those of METAIRL_PATH."""
    installed = PACKAGE / "_shipped"
    own = installed if installed.is_dir() else PACKAGE.parent
    extra = os.environ.get("METAIRL_PATH", "")
    return [own, *(Path(folder) for folder in extra.split(os.pathsep) if folder)]


def task_ids() -> list[str]:
    return sorted(_files("tasks"))


def task(full_name: str) -> TaskCard:
    """The card of this name, with its settings applied."""
    name, _, settings = full_name.partition(":")
    card = _task_card(_files("tasks")[_task_id(name)])
    return _with_settings(card, settings) if settings else card


def task_name(name: str) -> str:
    """The canonical name of a task, with all of its settings: `bandit-5-v1:pulls=10`."""
    return _canonical_name(task(name))


def _canonical_name(card: TaskCard) -> str:
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


def tuned(method: str, task_name: str) -> tuple[dict[str, Any], Path | None]:
    """Tuned settings of a method on a task, and their file. How much supervision the task gives is ignored.

    A task name without settings in that file means the card's defaults.
    """
    wanted, found = _tuned_name(task_name), None
    for folder in card_folders():
        path = folder / "benchmarks" / "tuned" / f"{method}.toml"
        entries = read_toml(path) if path.exists() else {}
        for values in (values for name, values in entries.items() if _tuned_name(name) == wanted):
            if found:
                raise CardError(f"{path}: '{task_name}' is already tuned in {found[1]}")
            found = dict(values), path
    return found or ({}, None)


def _tuned_name(name: str) -> str:
    return _canonical_name(task(name).model_copy(update=dict.fromkeys(SUPPORT_SIZES)))


def _files(subfolder: str) -> dict[str, Path]:
    """Cards of one kind by name. A name in two folders is an error, since tables refer to cards by name."""
    found: dict[str, Path] = {}
    for folder in card_folders():
        for path in sorted((folder / subfolder).glob("*.toml")):
            if path.stem in found:
                raise CardError(f"{path}: '{path.stem}' exists already: {found[path.stem]}")
            found[path.stem] = path
    return found


def _named(path: Path, schema: type[Card]) -> Card:
    card = read(path, schema)
    if card.model_dump()["id"] != path.stem:
        raise CardError(f"{path}: 'id' must equal the file name, '{path.stem}'")
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


# settings that need a dataset, with a quality to suggest
NEEDS_DATA = {"demos": "expert", "labels": "replay", "comparisons": "replay"}


def _with_settings(card: TaskCard, settings: str) -> TaskCard:
    for key, value in _pairs(card.id, settings):
        if key not in card.settable:
            hint = nearest(key, card.settable) if card.settable else "it has no settings"
            raise UsageError(f"task '{card.id}' has no setting '{key}'; {hint}")
        card = _with_setting(card, key, value)
    for field, quality in NEEDS_DATA.items():
        if getattr(card, field) and card.data is None:
            example = f"data={quality},{field}={getattr(card, field)}"
            raise UsageError(f"task '{card.id}': '{field}' needs the name of a dataset, as in {example}")
    return card


def _with_setting(card: TaskCard, key: str, value: str) -> TaskCard:
    field = card.settable[key]
    match field:
        case "skill":
            name = value if value in NAMES else f"{value}-v3"
            if name not in NAMES:
                raise UsageError(f"task '{card.id}': {unknown_skill(value)}")
            return _with_goals(card, train=[name], test=[name])
        case "goals":
            if value == "ours":
                return _with_goals(card, package=None)
            if not re.fullmatch(r"package-\d+", value):
                raise UsageError(f"task '{card.id}': 'goals' must be 'ours' or 'package-SEED', not '{value}'")
            seed = int(value.removeprefix("package-"))
            if seed >= SEED_LIMIT:
                raise UsageError(
                    f"task '{card.id}': the seed of package goals must be below {SEED_LIMIT}, not {seed}"
                )
            return _with_goals(card, package=seed)
        case "data":
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
                raise UsageError(
                    f"task '{card.id}': 'data' must be the name of a dataset, as in data=replay, not '{value}'"
                )
            return card.model_copy(update={"data": value})
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"task '{card.id}': '{key}' must be a whole number above 0, not '{value}'")
    return card.model_copy(update={field: int(value)})


def _with_goals(card: TaskCard, **changes: Any) -> TaskCard:
    """Changes the goal distribution. The package's multi-task benchmarks test on their training goals."""
    goal = card.skill_goals.model_copy(update=changes)
    same_tasks = goal.package is not None and goal.train == goal.test and not goal.package_next
    return card.model_copy(update={"parameters": {"goal": goal}, "same_tasks": same_tasks})


def _pairs(name: str, settings: str) -> Iterator[tuple[str, str]]:
    for pair in settings.split(","):
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"task '{name}': write a setting as name=value, not '{pair}'")
        yield key, value
