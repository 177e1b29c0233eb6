"""Proximal policy optimisation over whole trials (Schulman et al. 2017, arXiv:1707.06347).

    A, y   = GAE(r, V, γ, λ),  y = A + V                            once per iteration
    L_π    = E[ −min(ρ A, clamp(ρ, 1 − ε, 1 + ε) A) ],  ρ = π / π_old      eq. 7
    L_V    = E[ ((y − V) / s)² ] / 2,  V_t = m_t + s · f(z_t)
    L_H    = −β E[ H(π) ],  β annealed to 0 over the budget if `settles`

E is over the unmasked steps of a trial's K episodes.

Departures: advantages are standardised over the iteration; m_t and s track the mean of y at each step of the trial
and its standard deviation, so that V need not represent the time left and L_V has the same scale for 10 steps and
for 500 (cf. PopArt, arXiv:1602.07714); RL² itself used TRPO with a separate baseline network.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from metairl.core.losses import clipped_surrogate, gae, mean, standardised
from metairl.core.networks import PolicyHead, RescaledValueHead, mlp
from metairl.core.types import EncodedTrial, Spec


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # discount (γ)
    trace: float = 0.3  # trace of GAE (λ); RL² and its reproductions use 0.3 on bandits and MDPs
    clip: float = 0.2  # clipping range (ε)
    entropy: float = 0.01  # weight of the entropy bonus (β)
    settles: bool = False  # anneal the entropy bonus to zero over the budget
    value: float = 0.5  # weight of the value loss
    hidden: tuple[int, ...] = (64,)  # hidden layers of policy and value
    bounded: bool = False  # squash the mean of continuous actions into (−1, 1)


@dataclass(frozen=True)
class Targets:
    """Computed once per iteration."""

    log_prob: Tensor  # [B, T], log π_old(a)
    advantage: Tensor  # [B, T]
    value: Tensor  # [B, T], y
    entropy: float  # β

    def __getitem__(self, rows: Tensor) -> "Targets":
        return Targets(self.log_prob[rows], self.advantage[rows], self.value[rows], self.entropy)


class PPO(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.policy = PolicyHead(spec, width, config.hidden, config.bounded)
        self.value = RescaledValueHead(mlp(width, *config.hidden, 1, last_gain=0.1), spec.steps, rate=0.1)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = self.policy(z)
        action: Tensor = pi.sample(rng) if explore else pi.mode()
        return action

    def last_layer(self) -> Iterator[Tensor]:
        yield from (*self.policy.last_layer(), *self.value.last_layer())

    @torch.no_grad()
    def targets(self, trial: EncodedTrial, progress: float) -> Targets:
        log_prob = self.policy(trial.z).log_prob(trial.action)
        value = self.value(trial.z)
        advantage = gae(trial.reward, value, self.config.gamma * trial.continues, self.config.trace)
        target = advantage + value
        self.value.update_statistics(target, trial.mask)
        advantage = standardised(advantage, trial.mask)
        entropy = self.config.entropy * (1 - progress if self.config.settles else 1)
        return Targets(log_prob, advantage, target, entropy)

    def losses(self, trial: EncodedTrial, old: Targets) -> dict[str, Tensor]:
        pi = self.policy(trial.z)
        log_ratio = pi.log_prob(trial.action) - old.log_prob
        error = (old.value - self.value(trial.z)) / self.value.std
        return {
            "policy": mean(clipped_surrogate(log_ratio, old.advantage, self.config.clip), trial.mask),
            "value": self.config.value * mean(error.square(), trial.mask) / 2,
            "entropy": -old.entropy * mean(pi.entropy(), trial.mask),
        }
