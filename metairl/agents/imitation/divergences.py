"""What keeps a reward from growing without bounds, by how it bends it: φ, concave, of the recovered r.

    chi2        φ(x) = x − x² / 4α         bounded above by α
    kl          φ(x) = −exp(−x − 1)
    hellinger   φ(x) = x / (1 + x)         for x > −1
    js          φ(x) = log(2 − exp(−x))    for x > −log 2

The first is a function of its strength α, the others have none. Where a bounded range is left, φ goes on in a
straight line, so that a gradient still leads back.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Name = Literal["chi2", "kl", "hellinger", "js"]
EDGE = 1e-2  # what is left between the straight line and where φ has no value


def chi2(x: Tensor, alpha: float) -> Tensor:
    return x - x.square() / (4 * alpha)


def kl(x: Tensor, alpha: float) -> Tensor:
    return -(-x - 1).exp()


def hellinger(x: Tensor, alpha: float) -> Tensor:
    return _straight_below(-1 + EDGE, x, lambda y: y / (1 + y), lambda y: (1 + y).square().reciprocal())


def js(x: Tensor, alpha: float) -> Tensor:
    lowest = -torch.tensor(2 - EDGE).log().item()
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
