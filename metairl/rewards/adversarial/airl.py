"""Adversarial inverse reinforcement learning (Fu et al. 2018, arXiv:1710.11248).

    f = g(z) + γ h(z′) − h(z),   g(z, a) where `state_action`
    D = exp f / (exp f + π(a | z)),   logit f − log π(a | z)      discriminator: D near 1 for the expert
    L = E_E[ −log D ] + E_π[ −log(1 − D) ]
    r = log D − log(1 − D) = f − log π(a | z)

g is the recovered reward: where dynamics are deterministic and the true reward depends on states alone, g
equals it up to a constant, and h absorbs potential-based shaping. The absorbing state (absorbing.py) is a
state like any other: h(z′) is its value where the MDP terminated, and its only action has log π = 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import (
    AbsorbingMLP,
    DiscriminatorBatch,
    RewardConfig,
    expectation,
    reward_gap,
)


@dataclass(frozen=True)
class Config(RewardConfig):
    gamma: float = 0.99  # discount of the shaping term (γ)
    state_action: bool = False  # the reward g depends on the action too
    hidden: tuple[int, ...] = (64, 64)  # hidden layers of reward and shaping (g, h)
    max_log_prob: float = 10.0  # bound of |log π(a | z)|


class AIRL(nn.Module):
    whole_trials = False

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.g = AbsorbingMLP(width + spec.actions * config.state_action, config.hidden)
        self.h = AbsorbingMLP(width, config.hidden)

    def losses(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        """Binary cross-entropy of the discriminator on either side."""
        absorbing = self.absorbing_reward()
        expert_logit, policy_logit = self._logit(expert), self._logit(policy)
        return {
            "discriminator_expert": expectation(softplus(-expert_logit), softplus(-absorbing), expert),
            "discriminator_policy": expectation(softplus(policy_logit), softplus(absorbing), policy),
        }

    def policy_reward(self, batch: DiscriminatorBatch) -> Tensor:
        return self._logit(batch)

    def absorbing_reward(self) -> Tensor:
        reward: Tensor = self.g.absorbing() + (self.config.gamma - 1) * self.h.absorbing()
        return reward

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        inputs = torch.cat([z, action], dim=-1) if self.config.state_action else z
        reward: Tensor = self.g(inputs)
        return reward

    def diagnostics(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        return reward_gap(self, expert, policy)

    def _logit(self, batch: DiscriminatorBatch) -> Tensor:
        next_h = torch.where(batch.terminated > 0, self.h.absorbing(), self.h(batch.next_z))
        f = self.recovered_reward(batch.z, batch.action) + self.config.gamma * next_h - self.h(batch.z)
        logit: Tensor = f - batch.log_prob.clamp(-self.config.max_log_prob, self.config.max_log_prob)
        return logit
