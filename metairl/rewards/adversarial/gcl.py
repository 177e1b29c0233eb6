"""Guided cost learning (Finn et al. 2016, arXiv:1603.00448): maximum entropy, its partition function sampled.

    R(τ)  = Σ_t r(z_t, a_t)
    q(τ)  = ½ Π π(a | z) + ½ Π π_E(a | z)                   who made the samples: the policy and demonstrators
    w_j   ∝ exp(R(τ_j)) / q(τ_j)                            over samples and demonstrations together
    L     = −E_E[ R ] + log mean_j exp(R(τ_j)) / q(τ_j)     whose gradient weighs the samples by w
    L_E   = E_E[ −log π_E(a | z) ],  π_E cloned, so that demonstrations have a density
    size  = 1 / Σ_j w_j²                                    effective number of samples, w normalised

Rewards of a trial are divided by its horizon inside exp unless `whole_sums`, and so are log-densities: with
hundreds of steps one sample would outweigh all others, and `size` would be 1.
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
    whole_sums: bool = True  # sums over trials as they are, else divided by their horizon
    decay: float = 1e-2  # of squared rewards, so that they stay near 0
    hidden: tuple[int, ...] = (64, 64)  # layers of r and of π_E


class GCL(nn.Module):
    whole = True

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config, self.horizon = config, spec.horizon
        self.r = AbsorbingMLP(width + spec.actions, config.hidden)
        self.cloned = PolicyHead(spec, width, config.hidden, bounded=True)

    def losses(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> dict[str, Tensor]:
        paid = [
            self._sum(deeds, self.policy_reward(deeds), self.absorbing_reward()) for deeds in (shown, lived)
        ]
        density = [self._density(deeds) for deeds in (shown, lived)]
        weight = torch.cat(paid) - torch.cat(density)  # log w, without its sum
        squares = mean(self.policy_reward(lived).square(), lived.mask) + self.absorbing_reward().square()
        return {
            "shown": -paid[0].mean(),
            "partition": weight.logsumexp(0) - log(len(weight)),
            "decay": self.config.decay * squares,
            "cloned": -mean(self.cloned(shown.z).log_prob(shown.action), shown.mask),
        }

    @torch.no_grad()
    def effective_sample_size(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> Tensor:
        """Effective number of samples."""
        both = (shown, lived)
        sums = [self._sum(d, self.policy_reward(d), self.absorbing_reward()) - self._density(d) for d in both]
        return 1 / torch.cat(sums).softmax(0).square().sum()

    def policy_reward(self, deeds: DiscriminatorBatch) -> Tensor:
        return self.recovered_reward(deeds.z, deeds.action)

    def absorbing_reward(self) -> Tensor:
        return self.r.absorbing()

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        reward: Tensor = self.r(torch.cat([z, action], dim=-1))
        return reward

    def _density(self, deeds: DiscriminatorBatch) -> Tensor:
        """log q of every trial, [B]; no gradient passes."""
        with torch.no_grad():
            own = self.cloned(deeds.z).log_prob(deeds.action)
        still = torch.zeros(())
        by_policy, by_cloned = (self._sum(deeds, x, still) for x in (deeds.log_prob, own))
        return torch.logaddexp(by_policy, by_cloned) - log(2)

    def _sum(self, deeds: DiscriminatorBatch, each: Tensor, at_rest: Tensor) -> Tensor:
        """Over the steps of a trial and its rest, [B]."""
        total = ((each + deeds.rest * at_rest) * deeds.mask).sum(1)
        return total if self.config.whole_sums else total / self.horizon
