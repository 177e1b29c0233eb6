"""What a board is downloaded as: JSON of everything, CSV and Parquet of its cells and of every seed's scores.

A number that is not there, or is not finite, is null in JSON and Parquet and empty in CSV. Floats are written
so that they read back as the same bits. The same standings give the same bytes.
"""

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from metairl.boards.standings import Standing, Standings
from metairl.core.errors import UsageError
from metairl.evaluation.statistics import Interval

MISSING = "a board's page needs more packages: pip install 'metairl[board]'"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what makes a spreadsheet compute a cell's text


@dataclass(frozen=True)
class Download:
    words: str
    file: str
    content: bytes


@dataclass(frozen=True)
class Table:
    types: dict[str, str]  # by column: string, int64, double or date32
    rows: list[tuple[Any, ...]]


CELLS = {
    "board": "string",
    "rules": "string",
    "slug": "string",
    "name": "string",
    "family": "string",
    "encoder": "string",
    "support": "string",
    "tier": "string",
    "date": "date32",
    "first_place": "int64",
    "last_place": "int64",
    "statistic": "string",  # iqm: over all columns; mean: of one
    "column": "string",
    "value": "double",
    "low": "double",
    "high": "double",
    "seeds": "int64",
    "tasks": "int64",
}
SCORES = {
    "board": "string",
    "rules": "string",
    "slug": "string",
    "column": "string",
    "number": "int64",  # which of the column's seeds, from 1
    "score": "double",
}


def of_board(standings: Standings) -> list[Download]:
    name, found = standings.board.id, [Download("JSON", f"{standings.board.id}.json", as_json(standings))]
    for what, table in (("cells", cells(standings)), ("scores", scores(standings))):
        found.append(Download(f"{what} as CSV", f"{name}-{what}.csv", as_csv(table)))
        found.append(Download(f"{what} as Parquet", f"{name}-{what}.parquet", as_parquet(table)))
    return found


def cells(standings: Standings) -> Table:
    """A line for every row's aggregate and for every cell that is filled."""
    return Table(CELLS, [line for row in standings.rows for line in _cells_of(row, standings)])


def scores(standings: Standings) -> Table:
    """A line for every seed's score in a column."""
    board = standings.board
    return Table(
        SCORES,
        [
            (board.id, board.rules, row.slug, column, number, _known(score))
            for row in standings.rows
            for column, seeds in row.scores.items()
            for number, score in enumerate(seeds.tolist(), start=1)
        ],
    )


def as_json(standings: Standings) -> bytes:
    content = {
        "board": standings.board.model_dump(),
        "rows": [_plain(asdict(row)) for row in standings.rows],
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def as_csv(table: Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # text that holds either of the two is then quoted
    writer.writerow(table.types)
    for row in table.rows:
        writer.writerow([_inert(value) for value in row])
    return text.getvalue().encode()


def as_parquet(table: Table) -> bytes:
    arrow, parquet = _pyarrow()
    schema = arrow.schema([(name, arrow.type_for_alias(kind)) for name, kind in table.types.items()])
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.types)
    arrays = [arrow.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    file = io.BytesIO()
    parquet.write_table(arrow.table(arrays, schema=schema), file)
    return file.getvalue()


def _cells_of(row: Standing, standings: Standings) -> Iterator[tuple[Any, ...]]:
    board, (first, last) = standings.board, row.rank or (None, None)
    about = (board.id, board.rules, row.slug, row.name, row.family, row.encoder, row.support, row.tier)
    head = (*about, row.date, first, last)
    if row.aggregate is not None:
        yield (*head, "iqm", None, *_numbers(row.aggregate))
    for column, interval in row.cells.items():
        if interval is not None:
            yield (*head, "mean", column, *_numbers(interval))


def _numbers(interval: Interval) -> tuple[float | None, float | None, float | None, int, int]:
    value, low, high = (_known(number) for number in (interval.value, interval.low, interval.high))
    return value, low, high, interval.seeds, interval.tasks


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _plain(value: Any) -> Any:
    match value:
        case float():
            return _known(value)
        case date():
            return value.isoformat()
        case np.ndarray():
            return _plain(value.tolist())
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def _inert(value: Any) -> Any:
    """Text that a spreadsheet would compute is quoted for it; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(MISSING) from None
    return pyarrow, pyarrow.parquet
