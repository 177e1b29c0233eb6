"""Policies to begin a search with, and many policies as one."""

import torch
from torch import Tensor

from metairl.agents.exact.planning import visits_by_step
from metairl.core.types import FiniteMDP


def aimless(chart: FiniteMDP, horizon: int) -> Tensor:
    """Every action alike."""
    lanes, states, actions = len(chart), chart.successors.shape[1], chart.probs.shape[2]
    return chart.features.new_full((1, 1, 1, 1), 1 / actions).expand(lanes, horizon, states, actions)


def mixed(chart: FiniteMDP, found: list[Tensor], shares: Tensor) -> Tensor:
    """The one policy that visits states as a mixture does, whose policy is drawn before an episode begins.

    π_h(a | s) = Σ_j λ_j d_h^j(s) π_h^j(a | s) / Σ_j λ_j d_h^j(s);  where nobody comes, actions are alike.
    """
    shares = shares.to(chart.start)[:, :, None, None]
    weights = torch.stack([visits_by_step(chart, policy) for policy in found], 1) * shares
    acted = torch.zeros_like(found[-1])
    for share, policy in zip(weights.unbind(1), found, strict=True):
        acted = acted + share.unsqueeze(-1) * policy
    total = weights.sum(1).unsqueeze(-1)
    return (acted / total).where(total > 0, 1 / found[0].shape[-1])
