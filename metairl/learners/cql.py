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

from metairl.learners import sac
from metairl.losses import mean
from metairl.types import Moves, Spec


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

    def losses(self, m: Moves, rng: Generator) -> dict[str, Tensor]:
        terms = super().losses(m, rng)
        return terms | self._conservatism(m, rng) if self.config.weight else terms

    def _conservatism(self, m: Moves, rng: Generator) -> dict[str, Tensor]:
        config = self.config
        known = self.critic(torch.cat([m.z, m.action], dim=-1))  # [2, B, T]
        gap = mean((self._everywhere(m, rng) - known).sum(0), m.counts)
        if config.gap is None or self.log_weight is None:
            return {"gap": config.weight * gap}
        excess = config.weight * gap - 2 * config.gap
        weight = self.log_weight.exp().clamp(max=1e6)
        return {"gap": weight.detach() * excess, "weight": -weight * excess.detach()}

    def _everywhere(self, m: Moves, rng: Generator) -> Tensor:
        """log ∫ exp Q_i(z, a) da at every z, by importance, [2, B, T]."""
        action, density = self._drawn(m, rng)
        q = self.critic.of_many(m.z, action)  # [2, B, T, 3n]
        return (q - density).logsumexp(-1)

    @torch.no_grad()
    def _drawn(self, m: Moves, rng: Generator) -> tuple[Tensor, Tensor]:
        """Actions and the logarithms of their densities, [B, T, 3n, …]."""
        shape = (*m.reward.shape, self.config.actions, m.action.shape[-1])
        anywhere = 2 * torch.rand(shape, generator=rng) - 1
        flat = torch.full(shape[:-1], -shape[-1] * log(2))
        here, there = (self.policy(z).repeated(shape[-2]).draw(rng) for z in (m.z, m.after))
        actions, densities = zip((anywhere, flat), here, there, strict=True)
        return torch.cat(actions, dim=-2), torch.cat(densities, dim=-1)
