"""Views of a transfer matrix: cells by hand, blanks, and the same bytes again."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metairl.evaluation import transfer_matrix
from metairl.evaluation.transfer_matrix import OWN, TRAINING, Cell, Matrix, Row

# Two seeds, two episodes, two tasks: trials of (3, 5) and (5, 7).
RETURNS = np.array([[[1.0, 2.0], [2.0, 3.0]], [[2.0, 3.0], [3.0, 4.0]]])
OTHER = "point-robot-semi-circle-v1:episodes=2"


def matrix() -> Matrix:
    own = Cell("point-robot-v1:episodes=2", OWN, RETURNS, None)
    other = Cell(
        OTHER, "varied parameters", -RETURNS, np.array([[[0, 1], [1, 1]], [[0, 0], [0, 1]]], dtype=float)
    )
    row = Row("rl2", "point-robot-v1:episodes=2", 5000, (0, 1), {OWN: own, OTHER: other, TRAINING: None})
    return Matrix("test", [OWN, OTHER, TRAINING], [row])


def test_a_cell_by_hand() -> None:
    # Trials: task means 4 and 6, SE² = 2 / 2; seed means 4 and 6, SE² = 1: √2. An expert's episode: −2.488.
    own = matrix().rows[0].cells[OWN]
    assert own is not None
    assert own.whole() == pytest.approx((5.0, 2**0.5))
    assert own.at(1) == pytest.approx((2.0, (0.25 + 0.25) ** 0.5))
    assert own.score(2 * -2.488, 2) == pytest.approx(1.0)
    assert transfer_matrix.whole_text(own)[0] == "5.00 ± 1.41"


def test_lines_are_trials_and_their_episodes() -> None:
    found = list(transfer_matrix.lines(matrix()))
    assert [(line["column"], line["episode"]) for line in found] == [
        (column, k) for column in (OWN, OTHER) for k in (None, 1, 2)
    ]
    assert [line["success"] for line in found] == [None, None, None, None, 0.25, 0.75]
    assert [line["return"] for line in found] == [5.0, 2.0, 3.0, -5.0, -2.0, -3.0]


def test_what_was_not_judged_is_blank() -> None:
    told = transfer_matrix.as_markdown(matrix())
    row = next(line for line in told.splitlines() if line.startswith("| rl2 on"))
    assert row.endswith("varied parameters |  |") and "5,000 | 2 |" in row
    assert "-3.00 ± 0.71<br>75 %" in told
    assert TRAINING not in transfer_matrix.as_csv(matrix())


def test_csv_has_a_line_a_number(tmp_path: Path) -> None:
    lines = list(csv.DictReader(transfer_matrix.as_csv(matrix()).splitlines()))
    assert len(lines) == 6
    assert lines[4] | {"success": "0.2500", "seeds": "0 1", "episode": "1", "tasks": "2"} == lines[4]


def test_the_same_matrix_is_the_same_files(tmp_path: Path) -> None:
    for name in ("once", "again"):
        transfer_matrix.write(matrix(), tmp_path / name / "found")
    written = sorted((tmp_path / "once").iterdir())
    assert [path.name for path in written] == ["found.csv", "found.md", "found.png", "found.svg"]
    for path in written:
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_matrix_of_blanks_can_be_written(tmp_path: Path) -> None:
    whole = matrix()
    row = replace(whole.rows[0], cells=dict.fromkeys(whole.columns))
    transfer_matrix.write(replace(whole, rows=[row]), tmp_path / "blank")
    assert len((tmp_path / "blank.csv").read_text().splitlines()) == 1
