"""Features of segments by hand, over the steps before a trial's end."""

import pytest
import torch

from metairl.rewards.preferences.clip_features import feature
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.tasks.constitution_card import Principle


def two_segments() -> Pairs:
    """Of three steps each, the second over after one; the task is at (0, 1)."""
    obs = torch.tensor([[[[0.0, 0.0], [0.0, 2.0], [3.0, 5.0]], [[3.0, 5.0], [9.0, 9.0], [9.0, 9.0]]]])
    action = torch.tensor([[[[1.0], [-1.0], [2.0]], [[0.5], [7.0], [7.0]]]])
    mask = torch.tensor([[[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]])
    return Pairs(obs, action, mask, torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize("trait, of, values", [
    ("distance", [0, 1], [(1 + 1 + 5) / 3, 5.0]),
    ("level", [1], [7 / 3, 5.0]),
    ("effort", [], [(1 + 1 + 4) / 3, 0.25]),
    ("jerk", [], [(4 + 9) / 2, 0.0]),
])  # fmt: skip
def test_by_hand(trait: str, of: list[int], values: list[float]) -> None:
    """A segment of one step has no jerk, and that is 0 and not no number."""
    principle = Principle(text="", trait=trait, of=of, prefer="more", weight=1.0)
    assert feature(principle, two_segments())[0].tolist() == pytest.approx(values)
