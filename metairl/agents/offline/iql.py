"""Implicit Q-learning (Kostrikov et al. 2021, arXiv:2110.06169).

    u   = min_i Q̄_i(z, a) − V(z)
    L_V = E[ |τ − [u < 0]| u² ]                                             eq. 5
    L_Q = E[ Σ_i (k r + γ_t V(z′) − Q_i(z, a))² ]                           eq. 6
    L_π = −E[ min(exp(β u), 100) log π(a | z) ]                             eq. 7
    Q̄  ← Q̄ + κ (Q − Q̄)                                                      after every step

Q is never evaluated at actions outside of the dataset. γ_t is γ, or 0 after terminal transitions. The encoder is
trained by L_Q and L_V, not by L_π.

Departures: V, Q and π are updated together; the authors' code updates V first and weighs π by the new V.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from metairl.core.losses import expectile, mean
from metairl.core.networks import Ensemble, PolicyHead, frozen_copy, polyak_update
from metairl.core.types import EncodedTransitions, Spec

MAX_WEIGHT = 100.0  # of an advantage


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # discount (γ)
    tau: float = 0.7  # expectile of V (τ)
    beta: float = 3.0  # inverse temperature of the advantage weights (β)
    polyak: float = 0.005  # rate of the target network (κ)
    reward: float = 1.0  # reward scale (k)
    hidden: tuple[int, ...] = (256, 256)  # hidden layers of policy, critics and V


class IQL(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.policy = PolicyHead(spec, width, config.hidden, bounded=True)
        self.critic = Ensemble(2, width + spec.actions, *config.hidden)
        self.value = Ensemble(1, width, *config.hidden)
        self.target = frozen_copy(self.critic)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = self.policy(z)
        action: Tensor = pi.sample(rng) if explore else pi.mode()
        return action

    def last_layer(self) -> Iterator[Tensor]:
        yield from self.policy.last_layer()
        yield from (*self.critic.last_layer(), *self.value.last_layer())

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config = self.config
        chosen = torch.cat([batch.z, batch.action], dim=-1)
        with torch.no_grad():
            y = (
                config.reward * batch.reward + config.gamma * batch.continues * self.value(batch.next_z)[0]
            )  # [B, T]
            target = self.target(chosen).amin(0)
        u = target - self.value(batch.z)[0]
        weight = (config.beta * u.detach()).exp().clamp(max=MAX_WEIGHT)
        q = self.critic(chosen)  # [2, B, T]
        return {
            "value": mean(expectile(u, config.tau), batch.mask),
            "critic": mean((q - y).square().sum(0), batch.mask),
            "policy": -mean(weight * self.policy(batch.z.detach()).log_prob(batch.action), batch.mask),
        }

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)
