"""Guided cost learning (Finn et al. 2016, arXiv:1603.00448): maximum entropy IRL with a sampled partition function.

    R(τ)  = Σ_t r(z_t, a_t)
    q(τ)  = ½ Π π(a | z) + ½ Π π_E(a | z)                   proposal: a mixture of the policy and the expert
    w_j   ∝ exp(R(τ_j)) / q(τ_j)                            over policy samples and demonstrations together
    L     = −E_E[ R ] + log mean_j exp(R(τ_j)) / q(τ_j)     whose gradient weights the samples by w
    L_E   = E_E[ −log π_E(a | z) ],  π_E cloned, so that demonstrations have a density
    ESS   = 1 / Σ_j w_j²                                    effective sample size, w normalised

Unless `whole_sums`, the rewards and log-densities of a trial are divided by its horizon inside exp: with
hundreds of steps one sample would outweigh all others, and the effective sample size would be 1.
"""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor, nn

from metairl.core.losses import mean
from metairl.core.networks import PolicyHead
from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import AbsorbingMLP, DiscriminatorBatch, RewardConfig


@dataclass(frozen=True)
class Config(RewardConfig):
    whole_sums: bool = True  # sum rewards over a trial; else divide the sums by the horizon
    decay: float = 1e-2  # weight of the squared rewards, which keeps them near 0
    hidden: tuple[int, ...] = (64, 64)  # hidden layers of the reward and of the cloned expert (r, π_E)


class GCL(nn.Module):
    whole_trials = True

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config, self.horizon = config, spec.horizon
        self.r = AbsorbingMLP(width + spec.actions, config.hidden)
        self.cloned = PolicyHead(spec, width, config.hidden, bounded=True)

    def losses(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        returns = [
            self._sum(batch, self.policy_reward(batch), self.absorbing_reward()) for batch in (expert, policy)
        ]
        densities = [self._log_density(batch) for batch in (expert, policy)]
        log_weights = torch.cat(returns) - torch.cat(densities)  # log w, not normalised
        squares = mean(self.policy_reward(policy).square(), policy.mask) + self.absorbing_reward().square()
        return {
            "expert_reward": -returns[0].mean(),
            "log_partition": log_weights.logsumexp(0) - log(len(log_weights)),
            "reward_decay": self.config.decay * squares,
            "cloning": -mean(self.cloned(expert.z).log_prob(expert.action), expert.mask),
        }

    def policy_reward(self, batch: DiscriminatorBatch) -> Tensor:
        return self.recovered_reward(batch.z, batch.action)

    def absorbing_reward(self) -> Tensor:
        return self.r.absorbing()

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        reward: Tensor = self.r(torch.cat([z, action], dim=-1))
        return reward

    @torch.no_grad()
    def diagnostics(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        """The effective sample size of the importance weights."""
        log_weights = [
            self._sum(batch, self.policy_reward(batch), self.absorbing_reward()) - self._log_density(batch)
            for batch in (expert, policy)
        ]
        return {"effective_sample_size": 1 / torch.cat(log_weights).softmax(0).square().sum()}

    def _log_density(self, batch: DiscriminatorBatch) -> Tensor:
        """log q of every trial, [B], without gradient."""
        with torch.no_grad():
            cloned = self.cloned(batch.z).log_prob(batch.action)
        zero = torch.zeros(())
        by_policy, by_expert = (self._sum(batch, x, zero) for x in (batch.log_prob, cloned))
        return torch.logaddexp(by_policy, by_expert) - log(2)

    def _sum(self, batch: DiscriminatorBatch, values: Tensor, absorbing: Tensor) -> Tensor:
        """Over the steps of a trial and the absorbing steps after it, [B]."""
        total = ((values + batch.absorbing_steps * absorbing) * batch.mask).sum(1)
        return total if self.config.whole_sums else total / self.horizon
