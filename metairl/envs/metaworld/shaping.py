"""The pieces that Meta-World's rewards are made of, for many lanes at once, in 64-bit.

    tolerance(x) = 1 inside [low, high], else s(d / margin), d the distance to the nearest bound
        long tail   s(x) = 1 / ((3 x)² + 1)              1/10 at the margin
        gaussian    s(x) = exp(−x² · ln 10)              1/10 at the margin
    both(a, b)   = a b / (a + b − a b)                   Hamacher's product, 0 where the denominator is

Outside of its bounds a tolerance without a margin is 0.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

TAIL = 3.0  # √(1 / 0.1 − 1)


def tolerance(x: Tensor, low: Tensor | float, high: Tensor | float, margin: Tensor | float) -> Tensor:
    """With a long tail."""
    value = 1 / ((TAIL * _outside(x, low, high) / margin) ** 2 + 1)
    return value.nan_to_num(nan=1.0)  # inside, without a margin


def gaussian_tolerance(
    x: Tensor, low: Tensor | float, high: Tensor | float, margin: Tensor | float
) -> Tensor:
    value = torch.exp(-((_outside(x, low, high) / margin) ** 2) * math.log(10))
    return value.nan_to_num(nan=1.0)


def progress(
    away: Tensor, at_first: Tensor, radius: float, shape: Callable[..., Tensor] = tolerance
) -> Tensor:
    """Of coming within a radius: 1/10 as far away as at first."""
    return shape(away, 0.0, radius, (at_first - radius).abs())


def _outside(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """How far beyond the nearest bound; 0 between them."""
    return torch.maximum(low - x, x - high).clamp(min=0)


def both(a: Tensor, b: Tensor) -> Tensor:
    product = a * b
    denominator = a + b - product
    return torch.where(denominator > 0, product / denominator, 0.0)


def norm(x: Tensor) -> Tensor:
    return x.square().sum(-1).sqrt()


def distance(a: Tensor, b: Tensor) -> Tensor:
    return norm(a - b)
