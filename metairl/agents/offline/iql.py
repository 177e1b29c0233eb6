"""Implicit Q-learning (Kostrikov et al. 2021, arXiv:2110.06169).

    u   = min_i Q̄_i(z, a) − V(z)
    L_V = E[ |τ − [u < 0]| u² ]                                             eq. 5
    L_Q = E[ Σ_i (k r + γ_t V(z′) − Q_i(z, a))² ]                           eq. 6
    L_π = −E[ min(exp(β u), 100) log π(a | z) ]                             eq. 7
    Q̄  ← Q̄ + κ (Q − Q̄)                                                      after every step

No action is ever asked about that the logs do not hold. γ_t is γ where something follows and 0 where the MDP
ended. z learns from L_Q and L_V; the policy reads it held.

Departures: V, Q and π take one step together, where the code updates V first and weighs π by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from metairl.core.losses import expectile, mean
from metairl.core.networks import Ensemble, PolicyHead, frozen_copy, polyak_update
from metairl.core.types import EncodedTransitions, Spec

MOST = 100.0  # that an advantage's weight may be


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # γ
    tau: float = 0.7  # τ of the expectile
    beta: float = 3.0  # β, how much better actions count more
    polyak: float = 0.005  # κ
    reward: float = 1.0  # k, what rewards are multiplied by
    hidden: tuple[int, ...] = (256, 256)  # layers of policy, critics and V


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

    def losses(self, m: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config = self.config
        chosen = torch.cat([m.z, m.action], dim=-1)
        with torch.no_grad():
            y = config.reward * m.reward + config.gamma * m.continues * self.value(m.next_z)[0]  # [B, T]
            known = self.target(chosen).amin(0)
        u = known - self.value(m.z)[0]
        weight = (config.beta * u.detach()).exp().clamp(max=MOST)
        q = self.critic(chosen)  # [2, B, T]
        return {
            "value": mean(expectile(u, config.tau), m.mask),
            "critic": mean((q - y).square().sum(0), m.mask),
            "policy": -mean(weight * self.policy(m.z.detach()).log_prob(m.action), m.mask),
        }

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)
