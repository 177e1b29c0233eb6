"""What is downloaded is what the standings say, to the last bit, and no spreadsheet computes it."""

import csv
import io
import json
from datetime import date
from math import nan

import numpy as np
import pyarrow.parquet
import pytest
from example_standings import nobody, small
from hostile_standings import everywhere

from metairl.boards import downloads
from metairl.boards.standings import Standings
from metairl.evaluation.statistics import Interval


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def read_parquet(content: bytes) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def filled(standings: Standings) -> list[tuple[str, str | None, Interval]]:
    """Every interval of a board: of which row, of which column."""
    found = []
    for row in standings.rows:
        found += [(row.slug, None, row.aggregate)] if row.aggregate else []
        found += [(row.slug, column, cell) for column, cell in row.cells.items() if cell]
    return found


def test_json_is_everything() -> None:
    standings = small()
    said = json.loads(downloads.as_json(standings))
    assert said["board"] == standings.board.model_dump()
    for row, words in zip(standings.rows, said["rows"], strict=True):
        assert (words["slug"], words["date"]) == (row.slug, row.date.isoformat())
        assert words["rank"] == (list(row.rank) if row.rank else None)
        assert {name: np.array(seeds).tolist() for name, seeds in words["scores"].items()} == {
            name: seeds.tolist() for name, seeds in row.scores.items()
        }
        assert [run["command"] for run in words["runs"]] == [run.command for run in row.runs]
        assert [curve["mean"] for curve in words["curves"]] == [curve.mean.tolist() for curve in row.curves]
    few = next(words for words in said["rows"] if words["slug"] == "iq-learn")
    assert few["aggregate"]["low"] is None  # two seeds: no interval


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_cells_are_the_intervals(kind: str) -> None:
    standings = small()
    table = downloads.cells(standings)
    rows = read_csv(downloads.as_csv(table)) if kind == "csv" else read_parquet(downloads.as_parquet(table))
    wanted = filled(standings)
    assert len(rows) == len(wanted)
    for row, (slug, column, interval) in zip(rows, wanted, strict=True):
        assert (row["slug"], row["column"] or None) == (slug, column)
        assert row["statistic"] == ("mean" if column else "iqm")
        assert float(str(row["value"])) == interval.value
        assert int(str(row["seeds"])) == interval.seeds
        ends = [None if end in ("", None) else float(str(end)) for end in (row["low"], row["high"])]
        assert ends == [None if np.isnan(end) else end for end in (interval.low, interval.high)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_scores_are_every_seeds(kind: str) -> None:
    standings = small()
    table = downloads.scores(standings)
    rows = read_csv(downloads.as_csv(table)) if kind == "csv" else read_parquet(downloads.as_parquet(table))
    wanted = [
        (row.slug, column, number, score)
        for row in standings.rows
        for column, seeds in row.scores.items()
        for number, score in enumerate(seeds.tolist(), start=1)
    ]
    assert wanted == [
        (row["slug"], row["column"], int(str(row["number"])), float(str(row["score"]))) for row in rows
    ]


def test_parquet_keeps_types() -> None:
    row = read_parquet(downloads.as_parquet(downloads.cells(small())))[0]
    assert isinstance(row["date"], date)
    assert isinstance(row["value"], float)
    assert isinstance(row["first_place"], int)


def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers() -> None:
    nasty = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "a\r=1", "b\n=1", "a=b")
    rows = read_csv(downloads.as_csv(downloads.cells(everywhere(nasty))))
    assert len(rows) == 3 * len(nasty)  # an aggregate and two cells
    for row in rows:
        assert not row["name"].startswith(downloads.FORMULA)
        assert row["name"].removeprefix("'") in nasty
        assert row["name"].startswith("'") == (row["name"][0] not in "ab")
    below_zero = [row for row in read_csv(downloads.as_csv(downloads.scores(small()))) if "-" in row["score"]]
    assert below_zero
    assert all(float(row["score"]) < 0 for row in below_zero)


def test_a_score_that_is_no_number_is_not_a_zero() -> None:
    standings = small()
    column = standings.board.columns[0].name
    standings.rows[0].scores[column][1] = nan
    first = [json.loads(downloads.as_json(standings))["rows"][0]["scores"][column][1]]
    first += [read_parquet(downloads.as_parquet(downloads.scores(standings)))[1]["score"]]
    assert first == [None, None]
    assert read_csv(downloads.as_csv(downloads.scores(standings)))[1]["score"] == ""


def test_the_same_standings_are_the_same_bytes() -> None:
    assert downloads.of_board(small()) == downloads.of_board(small())


def test_a_board_without_rows_has_headings() -> None:
    cells, scores = downloads.cells(nobody()), downloads.scores(nobody())
    assert downloads.as_csv(cells).decode() == ",".join(downloads.CELLS) + "\r\n"
    schema = pyarrow.parquet.read_table(io.BytesIO(downloads.as_parquet(scores))).schema
    assert {field.name: str(field.type) for field in schema} == downloads.SCORES
