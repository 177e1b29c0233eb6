"""Tables from records: cells by hand, blanks, and the committed tables again, byte for byte."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from metairl.cli.reproduce import committed
from metairl.core.errors import CardError, UsageError
from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation import tables
from metairl.evaluation.statistics import mean_over_seeds, permutation_test, standard_error
from metairl.tasks import catalogue
from metairl.tasks.cards import Column, TableCard

if TYPE_CHECKING:
    from metairl.experiments.request import Request

ROOT = catalogue.PACKAGE.parent


def completed_run(root: Path, seed: int, returns: list[float], **changes: object) -> None:
    folder = RunFolder(root / f"seed-{seed}")
    folder.create()
    identity = {"method": "rl2", "encoder": "rl2", "task": "bandit-5-v1:pulls=10", "seed": seed, "steps": 10}
    card = {"card_sha256": catalogue.task("bandit-5").sha256, "config": {}, "status": "completed"}
    folder.describe(identity | card | changes)
    folder.append([Evaluation("test", 1, "", 10, 1, 0, 1, returns, 10, None, {})])


def cell(*roots: Path) -> tables.Cell:
    card = catalogue.table("rl2-bandits")
    filled = tables.fill(card, [column for column in card.columns if column.name == "10,5"], list(roots))
    return next(cells[0] for cells in filled.cells if cells[0].row.name == "RL²")


def test_a_cell_by_hand(tmp_path: Path) -> None:
    # Seeds (6, 8) and (7, 9): mean 7.5. Task means 6.5 and 8.5: SE² = 2 / 2 = 1.
    # Seed means 7 and 8: SE² = 0.5 / 2 = 0.25. Together √1.25. Spread within a seed: √2.
    completed_run(tmp_path, 0, [6.0, 8.0])
    completed_run(tmp_path, 1, [7.0, 9.0])
    found = cell(tmp_path)
    assert found.ours is not None
    assert found.ours.mean == 7.5
    assert found.ours.standard_error == pytest.approx(1.25**0.5)
    assert (found.ours.trials, found.ours.seeds, found.ours.records) == (4, 2, ("seed-0", "seed-1"))
    assert found.difference == pytest.approx((7.5 - 6.7) / (1.25 + 2 / 1000) ** 0.5)


@pytest.mark.parametrize("change", [{"status": "running"}, {"card_sha256": "other"}, {"method": "ppo"}])
def test_runs_that_are_not_this_cell_leave_it_blank(tmp_path: Path, change: dict[str, str]) -> None:
    completed_run(tmp_path, 0, [6.0, 8.0], **change)
    assert cell(tmp_path).ours is None
    assert tables.ours_text(cell(tmp_path)) == ""


def test_two_configurations_are_never_pooled(tmp_path: Path) -> None:
    completed_run(tmp_path, 0, [6.0, 6.0])
    completed_run(tmp_path, 1, [6.0, 6.0])
    completed_run(tmp_path, 2, [9.0, 9.0], steps=99)
    found = cell(tmp_path)
    assert found.ours is not None and found.ours.mean == 6.0


def test_own_runs_come_before_committed_ones(tmp_path: Path) -> None:
    own, accepted = tmp_path / "runs", tmp_path / "records"
    for seed in range(3):
        completed_run(accepted, seed, [6.0, 6.0])
    before = cell(own, accepted).ours
    assert before is not None and before.mean == 6.0
    completed_run(own, 0, [2.0, 2.0])
    found = cell(own, accepted).ours
    assert found is not None and (found.mean, found.seeds, found.root) == (2.0, 1, own)


def test_a_run_of_a_task_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    completed_run(tmp_path, 0, [6.0, 8.0], task="bandit-6-v1:pulls=10")
    assert cell(tmp_path).ours is None


def test_nan_is_seen_in_the_table(tmp_path: Path) -> None:
    completed_run(tmp_path, 0, [6.0, float("nan")])
    assert tables.ours_text(cell(tmp_path)).startswith("nan")


@pytest.mark.parametrize("name", catalogue.tables())
def test_committed_tables_come_from_committed_records(name: str) -> None:
    card: TableCard = catalogue.table(name)
    columns: list[Column] = card.columns
    table = tables.fill(card, columns, committed())
    for suffix, text in ((".csv", tables.as_csv), (".md", tables.as_markdown), (".tex", tables.as_latex)):
        file = ROOT / "results" / "tables" / f"{name}{suffix}"
        assert file.read_text(encoding="utf-8") == text(table), f"{file}: run `make tables`"


@pytest.mark.parametrize("name", catalogue.tables())
def test_a_row_names_its_encoder_where_its_method_takes_several(name: str) -> None:
    """Runs with another encoder would fill the same cells."""
    from metairl.methods.registry import find

    rows = [row for row in catalogue.table(name).rows if row.method and row.encoder is None]
    methods = {row.name: find(row.method, row.regime) for row in rows if row.method}
    assert not [row for row, method in methods.items() if method.any_encoder or method.encoders]


COMMITTED = [
    file.parent
    for root in committed()
    for file in sorted(root.glob("**/run.json"))
    if '"adapter"' not in file.read_text()  # an agent from outside is not this suite's to make again
]


@cache
def rows_with_settings() -> "list[Request]":
    from metairl.experiments.missing_runs import wanted

    cards = map(catalogue.table, catalogue.tables())
    named = [(card, row.name) for card in cards for row in card.rows if row.settings]
    return [request for card, row in named for request in wanted(card, card.columns, [row])]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_committed_record_is_what_reproduce_would_run(path: Path) -> None:
    """The budget and settings of benchmarks/tuned, on today's card: no cell is filled by any other run.

    Where a row of a table names settings, those of that row.
    """
    from metairl.experiments.request import make_request, read_request

    folder = RunFolder(path)
    made = read_request(folder)
    if folder.description().get("variant"):
        assert made in rows_with_settings()
    else:
        assert made == make_request(made.method, made.task, made.encoder, made.seed)
    assert folder.description()["card_sha256"] == made.card.sha256
    assert folder.description()["status"] == "completed"


def test_the_same_table_draws_the_same_figure(tmp_path: Path) -> None:
    card = catalogue.table("rl2-mdps")
    table = tables.fill(card, card.columns, [])
    for name in ("a.svg", "b.svg"):
        tables.draw(table, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_standard_errors_by_hand() -> None:
    assert standard_error(np.array([1.0, 3.0])) == pytest.approx(1.0)
    assert np.isnan(standard_error(np.array([1.0])))
    assert mean_over_seeds(np.array([[1.0, 3.0]])) == (2.0, pytest.approx(1.0))
    # Left out: the 9, and a task that no seed has. Tasks 1 and 5, seeds 3 and 3.
    scores, counts = (
        np.array([[1.0, 5.0, 9.0], [9.0, 3.0, 9.0]]),
        np.array([[True, True, False], [False, True, False]]),
    )
    by_task, by_seed = np.array([1.0, 4.0]), np.array([3.0, 3.0])
    assert mean_over_seeds(scores, counts) == (
        3.0,
        pytest.approx(np.hypot(standard_error(by_task), standard_error(by_seed))),
    )


def test_lengths_of_successes_leave_failures_out() -> None:
    judged = Evaluation("test", 1, "", 0, 0, 0, 0, [0.0] * 3, [4, 100, 8], [1, 0, 1], {})
    assert tables.METRICS["length"](judged) == [4, 100, 8]
    assert np.nanmean(tables.METRICS["successful-length"](judged)) == 6
    with pytest.raises(UsageError, match="reports success"):
        tables.METRICS["successful-length"](replace(judged, success=None))


def test_permutation_test_knows_a_difference_and_its_absence() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 30))
    assert permutation_test(noise[0] + 2, noise[1], rng) < 0.001
    same = [permutation_test(*rng.normal(size=(2, 10)), rng, rounds=400) for _ in range(200)]
    assert 0.02 < np.mean(np.array(same) < 0.1) < 0.2


def test_a_column_of_one_skill_has_its_tasks_alone() -> None:
    from metairl.tasks import sampling
    from metairl.tasks.metaworld_boxes import NAMES

    column = Column(name="push", task="mt10", skill="push-v3")
    drawn = sampling.task_set(catalogue.task("mt10"), "test").tasks["goal"][:, 0]
    chosen = drawn[tables._rows(column)].unique().tolist()
    assert [NAMES[int(skill)] for skill in chosen] == ["push-v3"]
    assert (drawn == chosen[0]).sum() == len(drawn[tables._rows(column)])
    with pytest.raises(CardError, match=r"column 'push': unknown skill 'pusj-v3'; did you mean 'push-v3'\?"):
        tables._rows(Column(name="push", task="mt10", skill="pusj-v3"))


def test_columns_whose_metric_needs_a_number_must_say_it() -> None:
    card = catalogue.table("transfer").model_dump()
    del card["columns"][2]["threshold"]
    with pytest.raises(ValueError, match="column 'steps to −100' needs 'threshold'"):
        TableCard.model_validate(card)
