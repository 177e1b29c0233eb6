"""From runs to a row: what is packed is what was made, ledgers only grow, standings are computed."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import ABOUT, BOARD, RECORDS, ROW, RUN, TASK, sound

from metairl.boards import ledger
from metairl.boards.bundle import SHEET, Bundle
from metairl.boards.check import check
from metairl.boards.pack import pack
from metairl.boards.standings import standings
from metairl.boards.submission import Submission, read
from metairl.cli.main import main
from metairl.core.errors import DamagedFile, Refused, StorageError, UsageError
from metairl.tasks import catalogue

RUNS = [RECORDS / BOARD / ROW / TASK / f"seed-{seed}" for seed in range(3)]
LEDGER = RECORDS.parent / "accepted.jsonl"
SAID = ["--authors", "A. Author", "--description", "A method."]


# packing


def test_runs_are_packed_as_they_are(tmp_path: Path) -> None:
    made = pack(RUNS, BOARD, ABOUT, tmp_path / "row", checkpoints=False)
    assert check(tmp_path / "row").sound
    assert made.read(f"{RUN}/records.jsonl") == (RUNS[0] / "records.jsonl").read_bytes()
    assert made.digest == pack(RUNS, BOARD, ABOUT, tmp_path / "again", checkpoints=False).digest


@pytest.mark.parametrize(
    ("runs", "error", "word"),
    [
        ([], UsageError, "at least one run"),
        ([RUNS[0], RUNS[0]], UsageError, "seed 0 too"),
        ([Path("nowhere")], StorageError, "not a run folder"),
    ],
)
def test_what_cannot_be_packed(runs: list[Path], error: type[Exception], word: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=word):
        pack(runs, BOARD, ABOUT, tmp_path / "row", checkpoints=False)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "row").mkdir()
    with pytest.raises(StorageError, match="is there already"):
        pack(RUNS, BOARD, ABOUT, tmp_path / "row", checkpoints=False)


def test_markup_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="markup"):
        pack(RUNS, BOARD, replace(ABOUT, description="<b>"), tmp_path / "row", checkpoints=False)
    assert list(tmp_path.iterdir()) == []


def test_the_command_packs_checks_and_says_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "row"
    words = ["submit", *map(str, RUNS), "--board", BOARD, "--out", str(out), *SAID]
    assert main(words) == 0
    assert "board build" in capsys.readouterr().out
    assert json.loads((out / SHEET).read_text())["method"]["slug"] == "pi-v+pearl"
    assert main(words) == 6  # it is there already
    assert main(["submit", str(RUNS[0]), "--board", "mt10", "--out", str(tmp_path / "b"), *SAID]) == 2
    assert "none of these runs is of a task of board 'mt10'" in capsys.readouterr().err


# the ledger


@pytest.fixture
def book(tmp_path: Path) -> Path:
    sound(tmp_path / "rows" / "one")
    assert (
        main(["board", "accept", str(tmp_path / "rows" / "one"), "--ledger", str(tmp_path / "book.jsonl")])
        == 0
    )
    return tmp_path / "book.jsonl"


def test_what_was_accepted_stands(book: Path) -> None:
    (row,) = ledger.standing(book)
    assert (row.board, row.row, row.tier) == (BOARD, ROW, "checked")


def test_a_row_is_accepted_once(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "accept", str(book.parent / "rows" / "one"), "--ledger", str(book)]) == 2
    assert "stands on board" in capsys.readouterr().err


def test_what_was_withdrawn_is_remembered(book: Path) -> None:
    row = book.parent / "rows" / "one"
    assert main(["board", "withdraw", str(row), "--why", "A mistake.", "--ledger", str(book)]) == 0
    assert ledger.standing(book) == []
    assert [event.event for event in ledger.read(book)] == ["accepted", "withdrawn"]


def test_a_rerun_raises_the_tier_if_it_agreed(book: Path) -> None:
    (event,) = ledger.read(book)
    about = event.model_dump(mode="json", exclude={"previous", "event", "agreed"})
    ledger.append(book, about | {"event": "rerun", "agreed": False, "p": 0.01, "nonce": "a"})
    assert ledger.standing(book)[0].tier == "checked"
    ledger.append(book, about | {"event": "rerun", "agreed": True, "p": 0.5, "nonce": "b"})
    assert ledger.standing(book)[0].tier == "rerun"


def test_history_cannot_be_rewritten(book: Path) -> None:
    row = book.parent / "rows" / "one"
    assert main(["board", "withdraw", str(row), "--why", "A mistake.", "--ledger", str(book)]) == 0
    book.write_text(book.read_text().replace('"pi-v+pearl"', '"pi-v"', 1))
    with pytest.raises(DamagedFile, match="does not follow"):
        ledger.read(book)


def test_files_that_were_accepted_cannot_be_changed(book: Path) -> None:
    file = book.parent / "rows" / "one" / "SHA256SUMS"
    file.write_text(file.read_text().replace("0", "1", 1))
    with pytest.raises(Refused, match="not the submission that was accepted"):
        ledger.standing(book)


def test_a_submission_elsewhere_is_not_listed(book: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = sound(tmp_path_factory.mktemp("away") / "row")
    assert main(["board", "withdraw", str(away), "--why", "x", "--ledger", str(book)]) == 2


def test_accepted_rows_are_never_taken_back() -> None:
    """The ledger of the revision before is where this one begins."""
    root = catalogue.PACKAGE.parent
    for revision in ("HEAD", "HEAD~1", "HEAD~10"):
        words = ["git", "-C", str(root), "show", f"{revision}:results/accepted.jsonl"]
        before = subprocess.run(words, capture_output=True, check=False)
        if before.returncode == 0:  # it was there then
            assert LEDGER.read_bytes().startswith(before.stdout), revision


def test_every_accepted_row_is_what_was_accepted() -> None:
    rows = ledger.standing(LEDGER)
    assert len(rows) >= 49
    assert {row.board for row in rows} <= set(catalogue.boards())


# standings


def made(scores: list[list[float]], slug: str) -> Submission:
    """A row of the board, whose seeds have these returns, as scores between random and expert."""
    submission = read(Bundle(RECORDS / BOARD / ROW))
    card = catalogue.task("half-cheetah-vel")
    assert card.score
    low, high = card.score.random, card.score.expert
    runs = []
    for ran, seed in zip(submission.runs, scores, strict=False):
        returns = [low + value / 100 * (high - low) for value in seed]
        judged = [replace(e, returns=returns) if e.split == "test" else e for e in ran.judged]
        runs.append(replace(ran, judged=judged))
    method = submission.sheet.method.model_copy(update={"slug": slug})
    sheet = submission.sheet.model_copy(update={"method": method})
    return replace(submission, sheet=sheet, runs=runs, digest=slug)


ONE = catalogue.boards()[BOARD].model_copy(update={"columns": catalogue.boards()[BOARD].columns[:1]})


def test_rows_are_ranked_by_the_middle_half_and_share_places_where_they_overlap() -> None:
    best, near, far = (
        made([[s + d] * 4 for d in (-2, 0, 2)], name) for s, name in ((90, "a"), (89, "b"), (10, "c"))
    )
    rows = standings(ONE, [(far, "self"), (near, "checked"), (best, "rerun")]).rows
    assert [(row.slug, row.rank, row.tier) for row in rows] == [
        ("a", (1, 2), "rerun"),
        ("b", (1, 2), "checked"),
        ("c", (3, 3), "self"),
    ]
    assert rows[0].aggregate and rows[0].aggregate.value == pytest.approx(90)
    cell = rows[0].cells["half-cheetah-vel"]
    assert cell and cell.value == pytest.approx(90) and cell.low < 90 < cell.high and cell.seeds == 3
    np.testing.assert_allclose(rows[0].scores["half-cheetah-vel"], [88, 90, 92])


def test_an_empty_column_leaves_a_row_without_a_rank() -> None:
    (row,) = standings(catalogue.boards()[BOARD], [(made([[50.0]] * 3, "a"), "self")]).rows
    assert row.rank is None and row.aggregate is None and row.cells["reach"] is None


def test_two_seeds_have_no_interval_and_no_rank() -> None:
    (row,) = standings(ONE, [(made([[50.0] * 4, [60.0] * 4], "a"), "self")]).rows
    assert row.aggregate and row.aggregate.value == 55 and np.isnan(row.aggregate.low) and row.rank is None


def test_an_interval_does_not_depend_on_the_neighbours() -> None:
    one, two = (made([[s + d] * 4 for d in (-2, 0, 2)], name) for s, name in ((90, "a"), (50, "b")))
    alone = standings(ONE, [(one, "self")]).rows[0]
    beside = standings(ONE, [(two, "self"), (one, "self")]).rows[0]
    assert (alone.aggregate, alone.cells) == (beside.aggregate, beside.cells)


def test_curves_are_of_validation_tasks_and_end_where_training_did() -> None:
    (row,) = standings(ONE, [(read(Bundle(RECORDS / BOARD / ROW)), "self")]).rows
    (curve,) = row.curves
    assert curve.steps[0] == 0 and curve.steps[-1] == 6000 and len(curve.steps) == len(curve.mean) > 10
    assert curve.mean[-1] > curve.mean[0]


def test_the_command_that_makes_a_run_again_is_the_run_s() -> None:
    (row,) = standings(ONE, [(read(Bundle(RECORDS / BOARD / ROW)), "self")]).rows
    assert row.runs[0].command.startswith(
        "metairl train pi-v half-cheetah-vel-v1:data=expert,demos=1,episodes=1 "
    )
    assert "--encoder pearl --seed 0 --steps 6000" in row.runs[0].command
