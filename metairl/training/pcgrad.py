"""Projecting conflicting gradients (Yu et al. 2020, PCGrad, arXiv:2001.06782).

    for every task i, the others j in random order:   g_i ← g_i − min(0, g_i · g_j) g_j / |g_j|²
    the gradient is the mean of the projected g_i

g_j is the original gradient. Without conflicts the result is the mean of the gradients.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def projected(gradients: Tensor, rng: Generator) -> Tensor:
    """[tasks, weights] -> [weights]."""
    squares = gradients.square().sum(1).clamp(min=1e-12)
    result = gradients.clone()
    for i in range(len(gradients)):
        for j in torch.randperm(len(gradients), generator=rng).tolist():
            if j != i:
                result[i] -= (result[i] @ gradients[j]).clamp(max=0) / squares[j] * gradients[j]
    return result.mean(0)


def gradients_of(losses: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """One row a loss, [losses, weights]; zero where a loss does not depend on a weight."""
    rows = []
    for loss in losses:
        gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        parts = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, gradients, strict=True)]
        rows.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(rows)
