"""Query selection by hand."""

from torch import tensor

from metairl.core.types import Spec
from metairl.rewards.preferences.query_selection import SCORES, disagreement, select

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=6, episodes=1, params=1)


def test_selection_takes_what_members_disagree_about() -> None:
    probs = tensor([[0.5, 0.9, 0.2], [0.5, 0.1, 0.4]])
    assert select(probs, 2, disagreement).tolist() == [1, 2]
    assert select(probs, 2, SCORES["uniform"]).tolist() == [0, 1]
