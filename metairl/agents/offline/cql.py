"""Conservative Q-learning (Kumar et al. 2020, arXiv:2006.04779): SAC, its critics kept low off the logs.

    L_Q += w (E[ log Σ_j exp(Q_i(z, a_j) − log p(a_j)) ] − E[ Q_i(z, a) ])   for every critic i, eq. 4

a_j: n of U[−1, 1]^A, n of π(z), n of π(z′), all judged at z; p is the density each was drawn by, so the sum
estimates ∫ exp Q da. No gradient reaches π through them. With `gap` (Lagrange) the gap is held at g:

    L_Q += w′ (w gap_i − g),   L_w′ = −w′ (w gap_i − g),   w′ = clip(exp λ, 0, 10⁶)

Departures: none of the warm-up by cloning that the code begins with. `soft = false`, as in the code: the
target has no entropy in it. With w = 0 it is SAC, step by step.
"""

from dataclasses import dataclass
from math import log

import torch
from torch import Generator, Tensor, nn

from metairl.agents.offline.cql_logsumexp import soft_maximum
from metairl.agents.rl import sac
from metairl.core.losses import mean
from metairl.core.networks import SquashedGaussian
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config(sac.Config):
    soft: bool = False
    weight: float = 5.0  # w
    actions: int = 10  # n
    gap: float | None = None  # g; None: w stays


class CQL(sac.SAC):
    config: Config

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__(spec, width, config)
        self.log_weight = None if config.gap is None else nn.Parameter(torch.zeros(()))  # λ

    def _beside(
        self,
        m: EncodedTransitions,
        q: Tensor,
        policies: tuple[SquashedGaussian, SquashedGaussian],
        rng: Generator,
    ) -> dict[str, Tensor]:
        config = self.config
        if config.weight == 0:
            return {}
        gap = self._everywhere(m, policies, rng) - mean(q.sum(0), m.mask)
        if config.gap is None or self.log_weight is None:
            return {"gap": config.weight * gap}
        excess = config.weight * gap - 2 * config.gap
        weight = self.log_weight.exp().clamp(max=1e6)
        return {"gap": weight.detach() * excess, "weight": -weight * excess.detach()}

    def _everywhere(
        self, m: EncodedTransitions, policies: tuple[SquashedGaussian, SquashedGaussian], rng: Generator
    ) -> Tensor:
        """Σ_i E[ log ∫ exp Q_i(z, a) da ], by importance."""
        action, density = self._drawn(m, policies, rng)
        return soft_maximum(self.critic, m.z, action, density, m.mask / m.mask.sum())

    @torch.no_grad()
    def _drawn(
        self, m: EncodedTransitions, policies: tuple[SquashedGaussian, SquashedGaussian], rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """Actions and the logarithms of their densities, [B, T, 3n, …]."""
        shape = (*m.reward.shape, self.config.actions, m.action.shape[-1])
        anywhere = 2 * torch.rand(shape, generator=rng) - 1
        flat = torch.full(shape[:-1], -shape[-1] * log(2))
        here, there = (policy.repeat(shape[-2]).sample_with_log_prob(rng) for policy in policies)
        actions, densities = zip((anywhere, flat), here, there, strict=True)
        return torch.cat(actions, dim=-2), torch.cat(densities, dim=-1)
