"""Inverse soft Q-learning for continuous actions (Garg et al. 2021, IQ-Learn, arXiv:2106.12142).

    V(z) = min_i Q_i(z, ã) − τ log π(ã | z),  ã ~ π(z)
    r    = Q(z, a) − γ_t V̄(z′)                                              the reward that is recovered
    L_φ  = −E_E[ φ(r) ]                                                     metairl/agents/imitation/divergences.py
    L_V  = E_µ[ V(z) − γ_t V̄(z′) ]                                          in place of (1 − γ) V(s₀)
    L_χ  = E_{not E}[ r² ] / 4α,  where regularised `everywhere`
    L_π  = E[ τ log π(ã | z) − min_i Q_i(z, ã) ]                            as SAC's, τ fixed
    Q̄    ← Q̄ + κ (Q − Q̄)                                                    after every step

It differs from the discrete one beside it in that V asks an actor, which follows Q. V̄ is of Q̄ where there is
a target. z learns from the critics' losses alone; the policy reads it held.

Departures: Q is one ensemble whose losses are added; its first member's r is the one recovered.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from metairl.agents.imitation import iq_learn_discrete
from metairl.agents.imitation.iq_learn_discrete import inverse_losses
from metairl.core.losses import mean
from metairl.core.networks import Ensemble, SquashedGaussian, SquashedGaussianHead, frozen_copy, polyak_update
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config(iq_learn_discrete.Config):
    target: bool = True
    critics: int = 2
    hidden: tuple[int, ...] = (256, 256)  # layers of policy and critics


class IQLearn(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.policy = SquashedGaussianHead(spec, width, config.hidden)
        self.critic = Ensemble(config.critics, width + spec.actions, *config.hidden)
        self.target = frozen_copy(self.critic)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = self.policy(z)
        action: Tensor = pi.sample(rng) if explore else pi.mode()
        return action

    def last_layer(self) -> Iterator[Tensor]:
        yield from (*self.policy.last_layer(), *self.critic.last_layer())

    def value(self, critic: Ensemble, z: Tensor, pi: SquashedGaussian, rng: Generator) -> Tensor:
        """V by actions that no gradient moves."""
        with torch.no_grad():
            action, log_prob = pi.sample_with_log_prob(rng)
        worth: Tensor = critic(torch.cat([z, action], dim=-1)).amin(0)
        return worth - self.config.temperature * log_prob

    def reward(self, m: EncodedTransitions, rng: Generator) -> Tensor:
        chosen: Tensor = self.critic(torch.cat([m.z, m.action], dim=-1))[0]
        then: Tensor = self.value(self.critic, m.next_z, self.policy(m.next_z), rng)
        return chosen - self.config.gamma * m.continues * then

    def losses(self, m: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config, held = self.config, m.z.detach()
        here, there = self.policy(held), self.policy(m.next_z)
        then = self.value(self.target if config.target else self.critic, m.next_z, there, rng)
        follows = config.gamma * m.continues * then  # [B, T]
        worth = self.value(self.critic, m.z, here, rng) - follows
        parts = [
            inverse_losses(config, q - follows, worth, m)
            for q in self.critic(torch.cat([m.z, m.action], dim=-1))
        ]
        action, log_prob = here.sample_with_log_prob(rng)
        best = self.critic(torch.cat([held, action], dim=-1), detach_weights=True).amin(0)
        acting = mean(config.temperature * log_prob - best, m.mask)
        return {name: torch.stack([part[name] for part in parts]).sum() for name in parts[0]} | {
            "policy": acting
        }

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)
