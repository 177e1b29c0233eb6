"""Pairs of segments: of one task, of two trials, inside a trial."""

import torch
from torch import tensor
from torch.testing import assert_close

from metairl.core.rng import stream
from metairl.core.types import Spec
from metairl.data.replay import Replay
from metairl.rewards.preferences import segment_pairs as segments

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=6, episodes=1, params=1)


def small_replay() -> Replay:
    """Two tasks with three trials of up to 6 steps, whose observations say where they are from."""
    replay = Replay(3, 6, torch.zeros(2, dtype=torch.long))
    place = torch.arange(2).view(2, 1, 1) * 100 + torch.arange(3).view(3, 1) * 10 + torch.arange(6)
    replay.data = {"obs": place.float().unsqueeze(-1), "action": torch.zeros(2, 3, 6, 1),
                   "reward": -place.float()}  # fmt: skip
    replay.tasks = tensor([[0.0], [1.0]])
    replay.num_trials = tensor([3, 2])
    replay.lengths = tensor([[6, 6, 2], [6, 6, 0]])
    return replay


def test_segments_are_of_one_task_of_two_trials_and_end_where_a_trial_does() -> None:
    replay = small_replay()
    places = segments.draw(replay, 4000, 4, stream("draw"))
    pairs = segments.cut(replay, places, 4)
    seen = pairs.obs[..., 0]
    assert ((seen // 100).flatten(1) == pairs.task).all()
    trials = seen[..., 0] // 10 % 10
    assert (trials[:, 0] != trials[:, 1]).all()
    assert set(trials[pairs.task[:, 0] == 1].flatten().tolist()) == {0.0, 1.0}
    short = trials == 2
    assert pairs.mask[short].sum(-1).unique().tolist() == [2.0]
    assert pairs.mask[~short].sum(-1).unique().tolist() == [4.0]
    first = seen[..., 0][~short] % 10
    shares = torch.bincount(first.long()) / len(first)
    assert_close(shares, torch.full((3,), 1 / 3), atol=0.03, rtol=0)  # the newest step too
    assert_close(segments.rewards(replay, places, 4)[pairs.mask > 0], -seen[pairs.mask > 0])


def test_a_single_trial_is_compared_with_itself() -> None:
    replay = small_replay()
    replay.num_trials = tensor([1, 0])
    places = segments.draw(replay, 100, 4, stream("draw"))
    assert not places.task.any() and not places.trial.any()
    assert set(places.first.flatten().tolist()) == {0, 1, 2}
