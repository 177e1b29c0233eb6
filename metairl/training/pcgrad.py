"""Gradient surgery (Yu et al. 2020, PCGrad, arXiv:2001.06782): tasks that undo each other are made to agree.

    for every task i, the others j in a random order:   g_i ← g_i − min(0, g_i · g_j) g_j / |g_j|²
    the gradient is the mean of what is left of the g_i

g_j is the gradient as it was. Where no two conflict, it is the mean of the gradients.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def projected(gradients: Tensor, rng: Generator) -> Tensor:
    """[tasks, weights] -> [weights]."""
    squares = gradients.square().sum(1).clamp(min=1e-12)
    left = gradients.clone()
    for i in range(len(gradients)):
        for j in torch.randperm(len(gradients), generator=rng).tolist():
            if j != i:
                left[i] -= (left[i] @ gradients[j]).clamp(max=0) / squares[j] * gradients[j]
    return left.mean(0)


def gradients_of(losses: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """One row a loss, [losses, weights]; zero where a loss does not depend on a weight."""
    rows = []
    for loss in losses:
        found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        parts = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]
        rows.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(rows)
