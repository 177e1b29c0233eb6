"""Concave functions φ of the recovered reward, one for each statistical divergence (IQ-Learn, arXiv:2106.12142).

    chi2        φ(x) = x − x² / 4α         bounded above by α
    kl          φ(x) = −exp(−x − 1)
    hellinger   φ(x) = x / (1 + x)         for x > −1
    js          φ(x) = log(2 − exp(−x))    for x > −log 2

Only the first has a strength α. Outside of its domain φ is continued by a straight line, so that its gradient
leads back.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Name = Literal["chi2", "kl", "hellinger", "js"]
MARGIN = 1e-2  # distance between the edge of φ's domain and the straight line


def chi2(x: Tensor, alpha: float) -> Tensor:
    return x - x.square() / (4 * alpha)


def kl(x: Tensor, alpha: float) -> Tensor:
    return -(-x - 1).exp()


def hellinger(x: Tensor, alpha: float) -> Tensor:
    return _straight_below(-1 + MARGIN, x, lambda y: y / (1 + y), lambda y: (1 + y).square().reciprocal())


def js(x: Tensor, alpha: float) -> Tensor:
    lowest = -torch.tensor(2 - MARGIN).log().item()
    return _straight_below(
        lowest, x, lambda y: (2 - (-y).exp()).log(), lambda y: (-y).exp() / (2 - (-y).exp())
    )


def _straight_below(
    edge: float, x: Tensor, phi: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]
) -> Tensor:
    inside, at = x.clamp(min=edge), torch.full_like(x, edge)
    return phi(inside) + slope(at) * (x - inside)


PHI: dict[Name, Callable[[Tensor, float], Tensor]] = {
    "chi2": chi2,
    "kl": kl,
    "hellinger": hellinger,
    "js": js,
}
