"""Inverse soft Q-learning for continuous actions (Garg et al. 2021, IQ-Learn, arXiv:2106.12142).

    V(z) = min_i Q_i(z, ã) − τ log π(ã | z),  ã ~ π(z)
    r    = Q(z, a) − γ_t V̄(z′)                                              the reward that is recovered
    L_φ  = −E_E[ φ(r) ]                                                     metairl/agents/imitation/divergences.py
    L_V  = E_µ[ V(z) − γ_t V̄(z′) ]                                          in place of (1 − γ) V(s₀)
    L_χ  = E_{not E}[ r² ] / 4α,  where regularised `everywhere`
    L_π  = E[ τ log π(ã | z) − min_i Q_i(z, ã) ]                            as SAC's, τ fixed
    Q̄    ← Q̄ + κ (Q − Q̄)                                                    after every step

Unlike iq_learn_discrete.py, V is estimated with an actor. V̄ uses Q̄ if there is a target network. The encoder is
trained by the critics' losses, not by L_π.

Departures: Q is an ensemble whose losses are added; the recovered r is that of its first member.
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
    target: bool = True  # bootstrap from a target network
    critics: int = 2  # networks in the ensemble of Q
    hidden: tuple[int, ...] = (256, 256)  # hidden layers of policy and critics


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
        """V, from sampled actions; no gradient reaches the policy."""
        with torch.no_grad():
            action, log_prob = pi.sample_with_log_prob(rng)
        worth: Tensor = critic(torch.cat([z, action], dim=-1)).amin(0)
        return worth - self.config.temperature * log_prob

    def reward(self, batch: EncodedTransitions, rng: Generator) -> Tensor:
        chosen: Tensor = self.critic(torch.cat([batch.z, batch.action], dim=-1))[0]
        then: Tensor = self.value(self.critic, batch.next_z, self.policy(batch.next_z), rng)
        return chosen - self.config.gamma * batch.continues * then

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config, z = self.config, batch.z.detach()
        pi, next_pi = self.policy(z), self.policy(batch.next_z)
        then = self.value(self.target if config.target else self.critic, batch.next_z, next_pi, rng)
        follows = config.gamma * batch.continues * then  # [B, T]
        worth = self.value(self.critic, batch.z, pi, rng) - follows
        parts = [
            inverse_losses(config, q - follows, worth, batch)
            for q in self.critic(torch.cat([batch.z, batch.action], dim=-1))
        ]
        action, log_prob = pi.sample_with_log_prob(rng)
        best = self.critic(torch.cat([z, action], dim=-1), detach_weights=True).amin(0)
        policy_loss = mean(config.temperature * log_prob - best, batch.mask)
        return {name: torch.stack([part[name] for part in parts]).sum() for name in parts[0]} | {
            "policy": policy_loss
        }

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)
