"""Which candidate pairs to compare, by a score of the ensemble's predictions; the highest are chosen.

uniform         0 for all: the first candidates, which come in random order
disagreement    std_i P_i(σ ≻ σ′) over members i (Christiano et al. 2017, arXiv:1706.03741)
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Name = Literal["uniform", "disagreement"]


def uniform(probs: Tensor) -> Tensor:
    return torch.zeros(probs.shape[1])


def disagreement(probs: Tensor) -> Tensor:
    return probs.std(0, correction=0)


SCORES: dict[Name, Callable[[Tensor], Tensor]] = {"uniform": uniform, "disagreement": disagreement}


def select(probs: Tensor, count: int, score: Callable[[Tensor], Tensor]) -> Tensor:
    """Rows of the `count` pairs with the highest scores, from P by member, [M, n]."""
    return score(probs).argsort(descending=True, stable=True)[:count]
