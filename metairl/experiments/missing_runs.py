"""A table's missing runs, made with the suite's own requests and resume."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from metairl.core.errors import DamagedFile, Incompatible
from metairl.core.records import RunFolder
from metairl.experiments.request import Request, make_request, read_request
from metairl.methods import registry, requirements
from metairl.methods.method import Method
from metairl.methods.settings import changed, tuned
from metairl.tasks.cards import Column, Row, TableCard


def wanted(card: TableCard, columns: Sequence[Column], only: Sequence[str]) -> Iterator[Request]:
    """Every (row, task, seed) that this suite can fill; `only` names methods or rows, none means all."""
    for row in card.rows:
        for column in columns:
            if (
                row.method is not None
                and row.fills(column)
                and (not only or {row.method, row.name} & {*only})
            ):
                method = registry.find(row.method, row.regime)
                task = column.trained_on if method.recipe and column.trained_on else column.task
                for seed in range(row.seeds):
                    yield _request(card, row, column, method, task, seed)


def _request(card: TableCard, row: Row, column: Column, method: Method, task: str, seed: int) -> Request:
    encoder = requirements.choose_encoder(method, row.encoder)
    settings = None
    if row.settings:
        _, settings = tuned(method, task, encoder)
        settings = changed(settings, row.settings, f"table '{card.id}', row '{row.name}'")
    request = make_request(method, task, encoder, seed, row.steps.get(column.name), settings)
    return replace(request, variant=row.flat_settings)


def missing(requests: Iterator[Request], roots: Sequence[Path]) -> list[Request]:
    """Those that no folder holds completed. A run made with other settings does not count."""
    once = dict.fromkeys(requests)  # a run may fill several columns
    return [request for request in once if not any(_has(request, root) for root in roots)]


def _has(request: Request, root: Path) -> bool:
    folder = RunFolder(request.folder(root))
    if not folder.run_file.exists():
        return False
    try:
        run, same = folder.description(), read_request(folder) == request
    except (DamagedFile, Incompatible):  # whoever plans it again says so
        return False
    return bool(same and run["status"] == "completed" and run["card_sha256"] == request.card.sha256)
