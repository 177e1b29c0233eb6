"""TD3+BC: a minimalist approach to offline RL (Fujimoto & Gu 2021, arXiv:2106.06860).

    ã′  = clip(π̄(z′) + clip(ν, −c, c), −1, 1),  ν ~ N(0, s²)
    y   = k r + γ_t min_i Q̄_i(z′, ã′)
    L_Q = E[ Σ_i (Q_i(z, a) − y)² ]
    L_π = −λ E[ Q_1(z, π(z)) ] + E[ (π(z) − a)² ],  λ = α / E|Q_1(z, π(z))|     every second step
    Q̄, π̄ ← Q̄ + κ (Q − Q̄), π̄ + κ (π − π̄)                                       then

Departures: observations are not standardised; the targets move a little after every step, by half as much,
where the code moves them every second.
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
    gamma: float = 0.99  # γ
    alpha: float = 2.5  # α
    noise: float = 0.2  # s
    most: float = 0.5  # c
    polyak: float = 0.005  # κ
    reward: float = 1.0  # k, what rewards are multiplied by
    hidden: tuple[int, ...] = (256, 256)  # layers of policy and critics


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

    def losses(self, m: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config = self.config
        with torch.no_grad():
            noise = config.noise * torch.randn(m.action.shape, generator=rng)
            then = self.target_policy(m.next_z).tanh() + noise.clamp(-config.most, config.most)
            value = self.target(torch.cat([m.next_z, then.clamp(-1, 1)], dim=-1)).amin(0)
            y = config.reward * m.reward + config.gamma * m.continues * value  # [B, T]
        q = self.critic(torch.cat([m.z, m.action], dim=-1))  # [2, B, T]
        critic = {"critic": mean((q - y).square().sum(0), m.mask)}
        return critic | self._improvement(m) if self.steps % 2 else critic

    def _improvement(self, m: EncodedTransitions) -> dict[str, Tensor]:
        held = m.z.detach()
        action = self.policy(held).tanh()
        good = self.critic(torch.cat([held, action], dim=-1), detach_weights=True)[0]
        weight = self.config.alpha / mean(good.detach().abs(), m.mask)  # λ
        return {
            "policy": -weight * mean(good, m.mask),
            "cloning": mean((action - m.action).square().mean(-1), m.mask),
        }

    def after_step(self) -> None:
        self.steps += 1
        polyak_update(self.target, self.critic, self.config.polyak / 2)
        polyak_update(self.target_policy, self.policy, self.config.polyak / 2)
