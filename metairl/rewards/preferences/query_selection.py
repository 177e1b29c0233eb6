"""Which of many pairs to ask about, by what an ensemble foretells: the highest scores are asked.

uniform         all alike: the first ones, of candidates that come in no order
disagreement    how far members are apart in their chances: std_i P_i(σ ≻ σ′) (Christiano et al. 2017)
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


SELECT: dict[Name, Callable[[Tensor], Tensor]] = {"uniform": uniform, "disagreement": disagreement}


def chosen(probs: Tensor, count: int, score: Callable[[Tensor], Tensor]) -> Tensor:
    """Rows of so many pairs, from chances by member, [M, n]."""
    return score(probs).argsort(descending=True, stable=True)[:count]
