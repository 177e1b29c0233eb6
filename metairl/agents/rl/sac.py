"""Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905).

    y   = k r + γ_t (min_i Q̄_i(z′, a′) − α log π(a′ | z′)),  a′ ~ π(z′)
    L_Q = E[ Σ_i (Q_i(z, a) − y)² ] / 2                                     eq. 5
    L_π = E[ α log π(ã | z) − min_i Q_i(z, ã) ],  ã ~ π(z)                  eq. 9
    L_α = −E[ log α (log π(ã | z) + H̄) ],  H̄ = −A                           eq. 18
    Q̄  ← Q̄ + τ (Q − Q̄)                                                      after every step

γ_t is γ where something follows and 0 where the MDP ended; a time limit ends nothing. z learns from L_Q
alone, as in PEARL: the policy reads it held.

Departures: of tasks of several families, each has an α of its own where asked (Yu et al. 2019).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import torch
from torch import Generator, Tensor, nn

from metairl.core.losses import mean
from metairl.core.networks import Ensemble, SquashedGaussian, SquashedGaussianHead, frozen_copy, polyak_update
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # γ
    polyak: float = 0.005  # τ
    reward: float = 1.0  # k, what rewards are multiplied by
    alpha: float = 1.0  # α at first
    tune: bool = True  # α follows the entropy, else it stays
    per_family: bool = False  # an α for every family of tasks
    soft: bool = True  # the target counts the entropy of what follows
    hidden: tuple[int, ...] = (256, 256)  # layers of policy and critics


class SAC(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.entropy = -float(spec.actions)  # H̄
        self.policy = SquashedGaussianHead(spec, width, config.hidden)
        self.critic = Ensemble(2, width + spec.actions, *config.hidden)
        self.target = frozen_copy(self.critic)
        families = spec.families if config.per_family else 1
        self.log_alpha = nn.Parameter(torch.full((families,), log(config.alpha)), requires_grad=config.tune)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = self.policy(z)
        action: Tensor = pi.sample(rng) if explore else pi.mode()
        return action

    def last_layer(self) -> Iterator[Tensor]:
        yield from (*self.policy.last_layer(), *self.critic.last_layer(), self.log_alpha)

    def losses(self, m: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        log_alpha = self.log_alpha[m.family if self.config.per_family else 0 * m.family].unsqueeze(
            -1
        )  # [B, 1]
        alpha = log_alpha.detach().exp()
        held = m.z.detach()
        here = self.policy(held)
        with torch.no_grad():
            there = self.policy(m.next_z)
            action, log_prob = there.sample_with_log_prob(rng)
            value = self.target(torch.cat([m.next_z, action], dim=-1)).amin(0)
            value = value - alpha * log_prob if self.config.soft else value
            y = self.config.reward * m.reward + self.config.gamma * m.continues * value  # [B, T]
        q = self.critic(torch.cat([m.z, m.action], dim=-1))  # [2, B, T]
        action, log_prob = here.sample_with_log_prob(rng)
        best = self.critic(torch.cat([held, action], dim=-1), detach_weights=True).amin(0)
        return {
            "critic": mean((q - y).square().sum(0), m.mask) / 2,
            "policy": mean(alpha * log_prob - best, m.mask),
            "temperature": -mean(log_alpha * (log_prob.detach() + self.entropy), m.mask),
        } | self._beside(m, q, (here, there), rng)

    def _beside(
        self,
        m: EncodedTransitions,
        q: Tensor,
        policies: tuple[SquashedGaussian, SquashedGaussian],
        rng: Generator,
    ) -> dict[str, Tensor]:
        """What a kind of SAC adds, from Q(z, a) and the policy at z and z′ that are known by then."""
        return {}

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)
