"""Adversarial training: steps left in an episode."""

import pytest
import torch

from metairl.core.types import Outcome
from metairl.training.adversarial import steps_left


@pytest.mark.parametrize("done, left", [
    ([0, 1, 0, 0, 0, 1], [3, 2, 3, 2, 1, 0]),
    ([0, 0, 0, 1, 1, 0], [3, 2, 1, 0, 3, 3]),
])  # fmt: skip
def test_steps_left_are_counted_from_the_start_of_each_episode(done: list[int], left: list[int]) -> None:
    ends = torch.tensor([done], dtype=torch.bool)
    none = torch.zeros_like(ends)
    outcome = Outcome(torch.zeros(1, 6), ends, ends, none, ~none, none)
    assert steps_left(outcome, 4).tolist() == [left]
