"""TD3+BC: a minimalist approach to offline RL (Fujimoto & Gu 2021, arXiv:2106.06860).

    ã′  = clip(π̄(z′) + clip(ν, −c, c), −1, 1),  ν ~ N(0, s²)
    y   = k r + γ_t min_i Q̄_i(z′, ã′)
    L_Q = E[ Σ_i (Q_i(z, a) − y)² ]
    L_π = −λ E[ Q_1(z, π(z)) ] + E[ (π(z) − a)² ],  λ = α / E|Q_1(z, π(z))|     every second step
    Q̄, π̄ ← Q̄ + κ (Q − Q̄), π̄ + κ (π − π̄)                                       then

The encoder is trained by L_Q, not by L_π.

Departures: observations are not standardised; targets are updated after every step at half the rate, where the
authors' code updates them after every second step.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from metairl.core.losses import mean
from metairl.core.networks import Ensemble, frozen_copy, mlp, polyak_update
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # discount (γ)
    alpha: float = 2.5  # weight of Q relative to cloning (α)
    noise: float = 0.2  # standard deviation of the target policy's noise (s)
    most: float = 0.5  # bound of that noise (c)
    polyak: float = 0.005  # rate of the target networks (κ)
    reward: float = 1.0  # reward scale (k)
    hidden: tuple[int, ...] = (256, 256)  # hidden layers of policy and critics


class TD3BC(nn.Module):
    steps: Tensor

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.policy = mlp(width, *config.hidden, spec.actions, last_gain=0.01)
        self.critic = Ensemble(2, width + spec.actions, *config.hidden)
        self.target = frozen_copy(self.critic)
        self.target_policy = frozen_copy(self.policy)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        action: Tensor = self.policy(z).tanh()
        if explore:
            action = (action + self.config.noise * torch.randn(action.shape, generator=rng)).clamp(-1, 1)
        return action

    def last_layer(self) -> Iterator[Tensor]:
        yield from (*self.policy[-1].parameters(), *self.critic.last_layer())

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config = self.config
        with torch.no_grad():
            noise = config.noise * torch.randn(batch.action.shape, generator=rng)
            then = self.target_policy(batch.next_z).tanh() + noise.clamp(-config.most, config.most)
            value = self.target(torch.cat([batch.next_z, then.clamp(-1, 1)], dim=-1)).amin(0)
            y = config.reward * batch.reward + config.gamma * batch.continues * value  # [B, T]
        q = self.critic(torch.cat([batch.z, batch.action], dim=-1))  # [2, B, T]
        critic = {"critic": mean((q - y).square().sum(0), batch.mask)}
        return critic | self._improvement(batch) if self.steps % 2 else critic

    def _improvement(self, batch: EncodedTransitions) -> dict[str, Tensor]:
        z = batch.z.detach()
        action = self.policy(z).tanh()
        q = self.critic(torch.cat([z, action], dim=-1), detach_weights=True)[0]
        weight = self.config.alpha / mean(q.detach().abs(), batch.mask)  # λ
        return {
            "policy": -weight * mean(q, batch.mask),
            "cloning": mean((action - batch.action).square().mean(-1), batch.mask),
        }

    def after_step(self) -> None:
        self.steps += 1
        polyak_update(self.target, self.critic, self.config.polyak / 2)
        polyak_update(self.target_policy, self.policy, self.config.polyak / 2)
