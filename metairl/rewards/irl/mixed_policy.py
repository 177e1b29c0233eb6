"""The uniform policy, and a mixture of policies as a single one."""

import torch
from torch import Tensor

from metairl.agents.exact.planning import visits_by_step
from metairl.core.types import FiniteMDP


def uniform_policy(mdps: FiniteMDP, horizon: int) -> Tensor:
    lanes, states, actions = len(mdps), mdps.successors.shape[1], mdps.probs.shape[2]
    return mdps.features.new_full((1, 1, 1, 1), 1 / actions).expand(lanes, horizon, states, actions)


def mixed(mdps: FiniteMDP, found: list[Tensor], shares: Tensor) -> Tensor:
    """The policy with the state visits of a mixture, which draws one policy before each episode.

    π_h(a | s) = Σ_j λ_j d_h^j(s) π_h^j(a | s) / Σ_j λ_j d_h^j(s),  uniform in states that are never visited
    """
    shares = shares.to(mdps.start)[:, :, None, None]
    weights = torch.stack([visits_by_step(mdps, policy) for policy in found], 1) * shares
    acted = torch.zeros_like(found[-1])
    for share, policy in zip(weights.unbind(1), found, strict=True):
        acted = acted + share.unsqueeze(-1) * policy
    total = weights.sum(1).unsqueeze(-1)
    return (acted / total).where(total > 0, 1 / found[0].shape[-1])
