"""A teacher whose answers are known in advance."""

import torch
from torch import Generator, Tensor

from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Answers, TrueReward


def by_place(self: TrueReward, pairs: Pairs, paid: Tensor, rng: Generator) -> Answers:
    """The first is preferred where it ends further to the right."""
    first = (pairs.obs[:, 0, -1, 0] > pairs.obs[:, 1, -1, 0]).float()
    return Answers(first, torch.ones(len(pairs), dtype=torch.bool))
