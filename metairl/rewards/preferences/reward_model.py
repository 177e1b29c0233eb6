"""A reward model fitted to pairwise preferences (Christiano et al. 2017, arXiv:1706.03741).

    x         = ([z, a] − c) / d
    R(σ)      = Σ_t r(x_t)                                          over the steps of a segment
    P(σ ≻ σ′) = exp R(σ) / (exp R(σ) + exp R(σ′))                   Bradley & Terry 1952
    L         = −E[ y log P(σ ≻ σ′) + (1 − y) log P(σ′ ≻ σ) ] + λ E[ r² ],   y = ½ for ties
    r̂         = (mean_i r_i − m) / s                                the reward that policies maximise

r is an ensemble whose members r_i are trained on different minibatches. c and d are the mean and the standard
deviation of the inputs in all compared segments, measured before r is fitted; m and s are those of r,
measured after. Preferences determine neither the scale of r nor, between segments of equal length, its
offset. Where some segments end early the offset matters, since absent steps count as 0, so m stays 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from metairl.core.losses import mean
from metairl.core.networks import Ensemble
from metairl.core.types import Spec

CONSTANT = 1e-3  # inputs with a smaller standard deviation are not scaled


@dataclass(frozen=True)
class Config:
    members: int = 3  # networks in the ensemble
    hidden: tuple[int, ...] = (64, 64)  # hidden layers of each; none: a linear reward
    decay: float = 1e-3  # weight of the penalty on squared rewards (λ)


class PreferenceReward(nn.Module):
    centre: Tensor
    spread: Tensor
    level: Tensor
    scale: Tensor

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.r = Ensemble(config.members, width + spec.actions, *config.hidden)
        self.register_buffer("centre", torch.zeros(width + spec.actions))  # c
        self.register_buffer("spread", torch.ones(width + spec.actions))  # d
        self.register_buffer("level", torch.zeros(()))  # m
        self.register_buffer("scale", torch.ones(()))  # s

    def losses(self, x: Tensor, mask: Tensor, first: Tensor) -> dict[str, Tensor]:
        """From a minibatch for every member, [M, n, 2, L, ...], and its answers y, [M, n]."""
        r = self.r.forward_each(self._normalised(x).flatten(1, -2)).view(mask.shape)
        returns = (r * mask).sum(-1)
        logits = returns[..., 0] - returns[..., 1]
        likelihood = binary_cross_entropy_with_logits(logits, first, reduction="none")
        return {
            "preference": likelihood.mean(1).sum(),
            "decay": self.config.decay * len(r) * mean(r.square(), mask),
        }

    def probs(self, x: Tensor, mask: Tensor) -> Tensor:
        """P(σ ≻ σ′) by every member, [n, 2, L, ...] -> [M, n]."""
        returns = (self.r(self._normalised(x)) * mask).sum(-1)
        probs: Tensor = (returns[..., 0] - returns[..., 1]).sigmoid()
        return probs

    def fit_inputs(self, x: Tensor, mask: Tensor) -> None:
        """Sets c and d from segments, [n, 2, L, ...]."""
        steps = x[mask > 0]
        spread = steps.std(0, correction=0)
        self.centre.copy_(steps.mean(0))
        self.spread.copy_(spread.where(spread > CONSTANT, 1.0))

    def fit_outputs(self, x: Tensor, mask: Tensor) -> None:
        """Sets m and s from the same segments."""
        r = self.r(self._normalised(x)).mean(0)
        level = mean(r, mask)
        self.scale.copy_(mean((r - level).square(), mask).sqrt().clamp(min=1e-6))
        self.level.copy_(level * mask.all())

    def policy_reward(self, z: Tensor, action: Tensor) -> Tensor:
        """r̂ of every step, [B, T]."""
        r = self.r(self._normalised(torch.cat([z, action], dim=-1))).mean(0)
        reward: Tensor = (r - self.level) / self.scale
        return reward

    def _normalised(self, x: Tensor) -> Tensor:
        return (x - self.centre) / self.spread
