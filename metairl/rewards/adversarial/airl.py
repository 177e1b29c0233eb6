"""Adversarial inverse RL (Fu et al. 2018, arXiv:1710.11248).

    f = g(z) + γ h(z′) − h(z),   g(z, a) where it reads actions
    D = exp f / (exp f + π(a | z)),   logit f − log π(a | z)      D near 1: this was demonstrated
    L = E_E[ −log D ] + E_π[ −log(1 − D) ]
    r = log D − log(1 − D) = f − log π(a | z)

g is the reward that is recovered: where dynamics are deterministic and the true one is of states alone, it is
that but for a constant, and h is what shaping made of it. Rest (deeds.py) is a state like others: h(z′) is of
rest where the MDP ended, and at rest log π is 0, since there is one thing to do.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import AbsorbingMLP, DiscriminatorBatch, RewardConfig, expected


@dataclass(frozen=True)
class Config(RewardConfig):
    gamma: float = 0.99  # γ
    acts: bool = False  # g reads actions too
    hidden: tuple[int, ...] = (64, 64)  # layers of g and of h
    surest: float = 10.0  # |log π| counts no more than this


class AIRL(nn.Module):
    whole = False

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.g = AbsorbingMLP(width + spec.actions * config.acts, config.hidden)
        self.h = AbsorbingMLP(width, config.hidden)

    def losses(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> dict[str, Tensor]:
        rest = self.absorbing_reward()
        return {
            "shown": expected(softplus(-self._logit(shown)), softplus(-rest), shown),
            "lived": expected(softplus(self._logit(lived)), softplus(rest), lived),
        }

    def policy_reward(self, deeds: DiscriminatorBatch) -> Tensor:
        return self._logit(deeds)

    def absorbing_reward(self) -> Tensor:
        rest: Tensor = self.g.absorbing() + (self.config.gamma - 1) * self.h.absorbing()
        return rest

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        read = torch.cat([z, action], dim=-1) if self.config.acts else z
        reward: Tensor = self.g(read)
        return reward

    def _logit(self, deeds: DiscriminatorBatch) -> Tensor:
        then = torch.where(deeds.ended > 0, self.h.absorbing(), self.h(deeds.next_z))
        f = self.recovered_reward(deeds.z, deeds.action) + self.config.gamma * then - self.h(deeds.z)
        logit: Tensor = f - deeds.log_prob.clamp(-self.config.surest, self.config.surest)
        return logit
