"""Transfer's scores on curves worked out by hand."""

import numpy as np
import pytest

from metairl.errors import UsageError
from metairl.record import Evaluation
from metairl.transfer import Curve, curve

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
