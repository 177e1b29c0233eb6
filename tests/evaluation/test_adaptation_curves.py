"""Transfer's scores on curves worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from metairl.core.errors import UsageError
from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation import tables
from metairl.evaluation.adaptation_curves import Curve, curve
from metairl.tasks import catalogue

CURVE = Curve(np.array([0.0, 10.0, 30.0]), np.array([[0.0, 4.0], [2.0, 4.0], [4.0, 4.0]]))


def test_the_area_by_hand() -> None:
    """(10 · 1 + 20 · 3) / 30 and a constant."""
    np.testing.assert_allclose(CURVE.area(), [70 / 30, 4.0])


def test_jump_start_and_steps_to_a_threshold() -> None:
    assert CURVE.jump_start().tolist() == [0.0, 4.0]
    assert CURVE.steps_to(2.0).tolist() == [10.0, 0.0]
    assert np.isnan(CURVE.steps_to(5.0)).all()


def test_forward_transfer_is_a_share_of_what_was_left_to_gain() -> None:
    scratch = np.array([70 / 30 - 1.0, 3.0])
    np.testing.assert_allclose(CURVE.forward_transfer(scratch, top=5.0), [1 / (5 - 70 / 30 + 1), 0.5])
    np.testing.assert_allclose(CURVE.forward_transfer(CURVE.area(), top=5.0), 0.0)


def evaluation(lived: int, returns: list[float], k: int = 1, split: str = "adaptation") -> Evaluation:
    return Evaluation(split, k, "", 100, 10, lived * len(returns), 20, returns, 10, None, {})


def test_a_curve_is_read_from_records_of_one_episode_index() -> None:
    records = [
        evaluation(0, [1.0, 2.0]),
        evaluation(10, [9.0, 9.0], k=2),
        evaluation(20, [3.0, 4.0]),
        evaluation(20, [3.0, 4.0], split="test"),
    ]
    found = curve(records, episode=1)
    assert found.steps.tolist() == [0.0, 20.0]
    assert found.returns.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_weights_that_stay_still_have_no_curve() -> None:
    with pytest.raises(UsageError, match="does not learn on"):
        curve([evaluation(0, [1.0], split="test")], episode=1)


# In a table


def adapted_run(root: Path, method: str, curves: list[list[float]]) -> None:
    """A committed run of two tasks, judged after 0, 10 and 20 steps."""
    folder = RunFolder(root / method)
    folder.create()
    task = catalogue.task_name("half-cheetah-vel")
    made = {"method": method, "encoder": "none", "task": task, "seed": 0, "steps": 0, "config": {}}
    folder.describe(made | {"card_sha256": catalogue.task(task).sha256, "status": "completed"})
    folder.append([evaluation(10 * point, returns) for point, returns in enumerate(curves)])
    folder.append([evaluation(20, curves[-1], split="test")])


def test_a_table_of_transfer(tmp_path: Path) -> None:
    """Scratch: areas −150 and −100; tuned: −100 and −50; top −50."""
    adapted_run(tmp_path, "scratch", [[-200.0, -100.0], [-150.0, -100.0], [-100.0, -100.0]])
    adapted_run(tmp_path, "fine-tune", [[-100.0, -50.0], [-100.0, -50.0], [-100.0, -50.0]])
    card = catalogue.table("transfer")
    filled = tables.fill(card, card.columns, [tmp_path])
    found = {
        cells[0].row.name: {c.column.name: c.ours.mean if c.ours else None for c in cells}
        for cells in filled.cells
    }
    assert found["Scratch"]["area"] == -125.0
    assert found["Fine-tune"]["area"] == -75.0
    assert found["Fine-tune"]["jump-start"] == -75.0
    assert found["Scratch"]["steps to −100"] == 10.0  # 20 and 0
    assert found["Fine-tune"]["forward transfer"] == pytest.approx((0.5 + 1.0) / 2)
    assert found["Scratch"]["forward transfer"] == 0.0
    assert found["Scratch"]["return at the end"] == -100.0


def test_without_scratch_there_is_no_forward_transfer(tmp_path: Path) -> None:
    adapted_run(tmp_path, "fine-tune", [[-100.0, -50.0]] * 3)
    card = catalogue.table("transfer")
    tuned = tables.fill(card, card.columns, [tmp_path]).cells[1]
    by_name = {c.column.name: c.ours for c in tuned}
    assert by_name["forward transfer"] is None
    assert by_name["area"] is not None
