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
from metairl.rewards.adversarial.absorbing import Deeds, Potential


@dataclass(frozen=True)
class Config:
    whole_sums: bool = True  # sums over trials as they are, else divided by their horizon
    decay: float = 1e-2  # of squared rewards, so that they stay near 0
    hidden: tuple[int, ...] = (64, 64)  # layers of r and of π_E


class GCL(nn.Module):
    whole = True

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config, self.horizon = config, spec.horizon
        self.r = Potential(width + spec.actions, config.hidden)
        self.cloned = PolicyHead(spec, width, config.hidden, bounded=True)

    def losses(self, shown: Deeds, lived: Deeds) -> dict[str, Tensor]:
        paid = [self._sum(deeds, self.pays(deeds), self.pays_at_rest()) for deeds in (shown, lived)]
        density = [self._density(deeds) for deeds in (shown, lived)]
        weight = torch.cat(paid) - torch.cat(density)  # log w, without its sum
        squares = mean(self.pays(lived).square(), lived.counts) + self.pays_at_rest().square()
        return {
            "shown": -paid[0].mean(),
            "partition": weight.logsumexp(0) - log(len(weight)),
            "decay": self.config.decay * squares,
            "cloned": -mean(self.cloned(shown.z).log_prob(shown.action), shown.counts),
        }

    @torch.no_grad()
    def size(self, shown: Deeds, lived: Deeds) -> Tensor:
        """Effective number of samples."""
        both = (shown, lived)
        sums = [self._sum(d, self.pays(d), self.pays_at_rest()) - self._density(d) for d in both]
        return 1 / torch.cat(sums).softmax(0).square().sum()

    def pays(self, deeds: Deeds) -> Tensor:
        return self.recovered(deeds.z, deeds.action)

    def pays_at_rest(self) -> Tensor:
        return self.r.at_rest()

    def recovered(self, z: Tensor, action: Tensor) -> Tensor:
        reward: Tensor = self.r(torch.cat([z, action], dim=-1))
        return reward

    def _density(self, deeds: Deeds) -> Tensor:
        """log q of every trial, [B]; no gradient passes."""
        with torch.no_grad():
            own = self.cloned(deeds.z).log_prob(deeds.action)
        still = torch.zeros(())
        by_policy, by_cloned = (self._sum(deeds, x, still) for x in (deeds.log_prob, own))
        return torch.logaddexp(by_policy, by_cloned) - log(2)

    def _sum(self, deeds: Deeds, each: Tensor, at_rest: Tensor) -> Tensor:
        """Over the steps of a trial and its rest, [B]."""
        total = ((each + deeds.rest * at_rest) * deeds.counts).sum(1)
        return total if self.config.whole_sums else total / self.horizon
