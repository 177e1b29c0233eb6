"""The uniform policy, and a mixture of policies as a single one."""

import torch
from torch import Tensor

from metairl.agents.exact.planning import visits_by_step
from metairl.core.types import FiniteMDP


def uniform_policy(mdps: FiniteMDP, horizon: int) -> Tensor:
    lanes, states, actions = len(mdps), mdps.successors.shape[1], mdps.probs.shape[2]
    return mdps.features.new_full((1, 1, 1, 1), 1 / actions).expand(lanes, horizon, states, actions)


def mixture_policy(mdps: FiniteMDP, policies: list[Tensor], weights: Tensor) -> Tensor:
    """The policy with the state visitation of a mixture, which draws one policy before each episode.

    π_h(a | s) = Σ_j λ_j d_h^j(s) π_h^j(a | s) / Σ_j λ_j d_h^j(s),  uniform in states that are never visited
    """
    weights = weights.to(mdps.start)[:, :, None, None]
    visitation = torch.stack([visits_by_step(mdps, policy) for policy in policies], 1) * weights
    of_actions = torch.zeros_like(policies[-1])
    for of_states, policy in zip(visitation.unbind(1), policies, strict=True):
        of_actions = of_actions + of_states.unsqueeze(-1) * policy
    total = visitation.sum(1).unsqueeze(-1)
    return (of_actions / total).where(total > 0, 1 / policies[0].shape[-1])
