"""A table's missing runs, made with the suite's own requests and resume."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from metairl.core.errors import DamagedFile, Incompatible
from metairl.core.records import RunFolder
from metairl.experiments.request import Request, request, requested
from metairl.methods import registry
from metairl.tasks.cards import Column, TableCard


def wanted(card: TableCard, columns: Sequence[Column], only: Sequence[str]) -> Iterator[Request]:
    """Every (row, task, seed) that this suite can fill; `only` names methods, none means all."""
    for row in card.rows:
        for column in columns:
            if row.method is not None and row.fills(column) and (not only or row.method in only):
                learns = registry.find(row.method).recipe is not None
                task = column.trained_on if learns and column.trained_on else column.task
                for seed in range(row.seeds):
                    yield request(row.method, task, row.encoder, seed)


def missing(requests: Iterator[Request], roots: Sequence[Path]) -> list[Request]:
    """Those that no folder holds completed. A run made with other settings does not count."""
    once = dict.fromkeys(requests)  # a run may fill several columns
    return [asked for asked in once if not any(_has(asked, root) for root in roots)]


def _has(asked: Request, root: Path) -> bool:
    folder = RunFolder(asked.folder(root))
    if not folder.run_file.exists():
        return False
    try:
        run, same = folder.description(), requested(folder) == asked
    except (DamagedFile, Incompatible):  # whoever plans it again says so
        return False
    return bool(same and run["status"] == "completed" and run["card_sha256"] == asked.card.sha256)
