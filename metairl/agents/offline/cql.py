"""Conservative Q-learning (Kumar et al. 2020, arXiv:2006.04779): SAC with a penalty on Q outside of the dataset.

    L_Q += w (E[ log Σ_j exp(Q_i(z, a_j) − log p(a_j)) ] − E[ Q_i(z, a) ])   for every critic i, eq. 4

a_j: n samples of U[−1, 1]^A, n of π(z) and n of π(z′), all evaluated at z; p is the density of each sample, so
that the sum estimates ∫ exp Q da. The penalty does not train π. With `gap` (Lagrange) w is tuned:

    L_Q += w′ (w gap_i − g),   L_w′ = −w′ (w gap_i − g),   w′ = clip(exp λ, 0, 10⁶)

Departures: no initial phase of behavioural cloning, which the authors' code has. `soft = false`, as in their
code: no entropy bonus in the target. With w = 0 it is SAC, bit for bit.
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
    soft: bool = False  # entropy bonus in the target
    weight: float = 5.0  # weight of the penalty (w)
    actions: int = 10  # sampled actions of each kind (n)
    gap: float | None = None  # the gap that w is tuned for (g); none: w is fixed


class CQL(sac.SAC):
    config: Config

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__(spec, width, config)
        self.log_weight = None if config.gap is None else nn.Parameter(torch.zeros(()))  # λ

    def _extra_losses(
        self,
        batch: EncodedTransitions,
        q: Tensor,
        policies: tuple[SquashedGaussian, SquashedGaussian],
        rng: Generator,
    ) -> dict[str, Tensor]:
        config = self.config
        if config.weight == 0:
            return {}
        gap = self._log_integral(batch, policies, rng) - mean(q.sum(0), batch.mask)
        if config.gap is None or self.log_weight is None:
            return {"gap": config.weight * gap}
        excess = config.weight * gap - 2 * config.gap
        weight = self.log_weight.exp().clamp(max=1e6)
        return {"gap": weight.detach() * excess, "weight": -weight * excess.detach()}

    def _log_integral(
        self, batch: EncodedTransitions, policies: tuple[SquashedGaussian, SquashedGaussian], rng: Generator
    ) -> Tensor:
        """Σ_i E[ log ∫ exp Q_i(z, a) da ], by importance sampling."""
        action, density = self._sampled_actions(batch, policies, rng)
        return soft_maximum(self.critic, batch.z, action, density, batch.mask / batch.mask.sum())

    @torch.no_grad()
    def _sampled_actions(
        self, batch: EncodedTransitions, policies: tuple[SquashedGaussian, SquashedGaussian], rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """Actions and their log-densities, [B, T, 3n, …]."""
        shape = (*batch.reward.shape, self.config.actions, batch.action.shape[-1])
        uniform = 2 * torch.rand(shape, generator=rng) - 1
        flat = torch.full(shape[:-1], -shape[-1] * log(2))
        now, after = (policy.repeat(shape[-2]).sample_with_log_prob(rng) for policy in policies)
        actions, densities = zip((uniform, flat), now, after, strict=True)
        return torch.cat(actions, dim=-2), torch.cat(densities, dim=-1)
