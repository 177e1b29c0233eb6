"""Conservative Q-learning for discrete actions (Kumar et al. 2020, arXiv:2006.04779).

    y   = k r + γ_t Q̄(z′, argmax_a′ Q(z′, a′))
    L_Q = E[ (Q(z, a) − y)² ] / 2
    gap = w E[ log Σ_a′ exp Q(z, a′) − Q(z, a) ]                               eq. 4
    Q̄  ← Q̄ + κ (Q − Q̄)                                                         after every step

With w = 0 it is double Q-learning, which believes what it likes of actions that the logs never show.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from metairl.core.losses import mean
from metairl.core.networks import Categorical, frozen_copy, mlp, polyak_update
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # γ
    weight: float = 1.0  # w
    polyak: float = 0.005  # κ
    reward: float = 1.0  # k, what rewards are multiplied by
    hidden: tuple[int, ...] = (256, 256)  # layers of Q


class DiscreteCQL(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.critic = mlp(width, *config.hidden, spec.actions, last_gain=0.01)
        self.target = frozen_copy(self.critic)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = Categorical(self.critic(z).log_softmax(-1))
        return pi.sample(rng) if explore else pi.mode()

    def last_layer(self) -> Iterator[Tensor]:
        return self.critic[-1].parameters()

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config = self.config
        with torch.no_grad():
            best = self.critic(batch.next_z).argmax(-1, keepdim=True)
            value = self.target(batch.next_z).gather(-1, best).squeeze(-1)
            y = config.reward * batch.reward + config.gamma * batch.continues * value
        q = self.critic(batch.z)  # [B, T, A]
        chosen = (q * batch.action).sum(-1)
        return {
            "critic": mean((chosen - y).square(), batch.mask) / 2,
            "gap": config.weight * mean(q.logsumexp(-1) - chosen, batch.mask),
        }

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)
