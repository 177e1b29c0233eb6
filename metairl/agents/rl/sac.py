"""Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905).

    y   = k r + γ_t (min_i Q̄_i(z′, a′) − α log π(a′ | z′)),  a′ ~ π(z′)
    L_Q = E[ Σ_i (Q_i(z, a) − y)² ] / 2                                     eq. 5
    L_π = E[ α log π(ã | z) − min_i Q_i(z, ã) ],  ã ~ π(z)                  eq. 9
    L_α = −E[ log α (log π(ã | z) + H̄) ],  H̄ = −A                           eq. 18
    Q̄  ← Q̄ + τ (Q − Q̄)                                                      after every step

γ_t is γ except after terminal transitions, where it is 0; time limits are not terminal. z learns from L_Q
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
    gamma: float = 0.99  # discount (γ)
    polyak: float = 0.005  # rate of the target networks (τ)
    reward: float = 1.0  # reward scale (k)
    alpha: float = 1.0  # initial temperature (α)
    tune: bool = True  # tune the temperature towards the target entropy
    per_family: bool = False  # a temperature for every skill of a card
    soft: bool = True  # entropy bonus in the target
    hidden: tuple[int, ...] = (256, 256)  # hidden layers of policy and critics


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

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        log_alpha = self.log_alpha[batch.family if self.config.per_family else 0 * batch.family].unsqueeze(
            -1
        )  # [B, 1]
        alpha = log_alpha.detach().exp()
        z = batch.z.detach()
        pi = self.policy(z)
        with torch.no_grad():
            next_pi = self.policy(batch.next_z)
            action, log_prob = next_pi.sample_with_log_prob(rng)
            value = self.target(torch.cat([batch.next_z, action], dim=-1)).amin(0)
            value = value - alpha * log_prob if self.config.soft else value
            y = self.config.reward * batch.reward + self.config.gamma * batch.continues * value  # [B, T]
        q = self.critic(torch.cat([batch.z, batch.action], dim=-1))  # [2, B, T]
        action, log_prob = pi.sample_with_log_prob(rng)
        best = self.critic(torch.cat([z, action], dim=-1), detach_weights=True).amin(0)
        return {
            "critic": mean((q - y).square().sum(0), batch.mask) / 2,
            "policy": mean(alpha * log_prob - best, batch.mask),
            "temperature": -mean(log_alpha * (log_prob.detach() + self.entropy), batch.mask),
        } | self._extra_losses(batch, q, (pi, next_pi), rng)

    def _extra_losses(
        self,
        batch: EncodedTransitions,
        q: Tensor,
        policies: tuple[SquashedGaussian, SquashedGaussian],
        rng: Generator,
    ) -> dict[str, Tensor]:
        """Further losses of a subclass, from Q(z, a) and the policies at z and z′."""
        return {}

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)
