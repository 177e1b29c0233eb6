"""Features of segments that the principles of a constitution are about, [n, 2].

    distance    mean of |o_of − c|, c the task's parameters
    level       mean of o_of
    effort      mean of |a|²
    jerk        mean of |a_t − a_{t−1}|²

Means are over the steps before a trial's end.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.tasks.constitution_card import Principle, Trait


def distance(pairs: Pairs, of: list[int]) -> Tensor:
    target = pairs.task[:, None, None, : len(of)]
    return _mean((pairs.obs[..., of] - target).norm(dim=-1), pairs.mask)


def level(pairs: Pairs, of: list[int]) -> Tensor:
    return _mean(pairs.obs[..., of].mean(-1), pairs.mask)


def effort(pairs: Pairs, of: list[int]) -> Tensor:
    return _mean(pairs.action.square().sum(-1), pairs.mask)


def jerk(pairs: Pairs, of: list[int]) -> Tensor:
    change = pairs.action[:, :, 1:] - pairs.action[:, :, :-1]
    return _mean(change.square().sum(-1), pairs.mask[:, :, 1:])


TRAITS: dict[Trait, Callable[[Pairs, list[int]], Tensor]] = {
    "distance": distance,
    "level": level,
    "effort": effort,
    "jerk": jerk,
}


def feature(principle: Principle, pairs: Pairs) -> Tensor:
    return TRAITS[principle.trait](pairs, principle.of)


def _mean(x: Tensor, mask: Tensor) -> Tensor:
    """Over the unmasked steps, [n, 2, L] -> [n, 2]."""
    average: Tensor = (x * mask).sum(-1) / mask.sum(-1).clamp(min=torch.finfo().tiny)
    return average
