"""A reward under which what was preferred is worth more (Christiano et al. 2017, arXiv:1706.03741).

    x         = ([z, a] − c) / d
    R(σ)      = Σ_t r(x_t)                                          over the steps of a segment
    P(σ ≻ σ′) = exp R(σ) / (exp R(σ) + exp R(σ′))                   Bradley & Terry 1952
    L         = −E[ y log P(σ ≻ σ′) + (1 − y) log P(σ′ ≻ σ) ]       y = ½ where both are as good
                + λ E[ r² ]
    r̂         = (mean_i r_i − m) / s                                what a policy is paid

The members r_i of an ensemble learn apart. c and d are mean and spread of what the compared segments hold,
before r learns from them; m and s are those of r, after. A preference knows no scale, and at equal lengths no
level either. Where some segments end early their length matters: a step that never came is worth 0, and m
stays 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from metairl.core.losses import mean
from metairl.core.networks import Ensemble
from metairl.core.types import Spec

STILL = 1e-3  # spread below which nothing varies


@dataclass(frozen=True)
class Config:
    members: int = 3
    hidden: tuple[int, ...] = (64, 64)  # layers of every r_i; none: r is linear
    decay: float = 1e-3  # λ


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
        """Of segments for every member, [M, n, 2, L, ...], and y, that the first is preferred, [M, n]."""
        r = self.r.each(self._even(x).flatten(1, -2)).view(mask.shape)
        sums = (r * mask).sum(-1)
        likelihood = binary_cross_entropy_with_logits(sums[..., 0] - sums[..., 1], first, reduction="none")
        return {
            "preference": likelihood.mean(1).sum(),
            "decay": self.config.decay * len(r) * mean(r.square(), mask),
        }

    def probs(self, x: Tensor, mask: Tensor) -> Tensor:
        """That the first is preferred, as every member has it: [n, 2, L, ...] -> [M, n]."""
        sums = (self.r(self._even(x)) * mask).sum(-1)
        probs: Tensor = (sums[..., 0] - sums[..., 1]).sigmoid()
        return probs

    def look(self, x: Tensor, mask: Tensor) -> None:
        """c and d by segments, [n, 2, L, ...]; what does not vary stays as wide as it is."""
        there = x[mask > 0]
        spread = there.std(0, correction=0)
        self.centre.copy_(there.mean(0))
        self.spread.copy_(spread.where(spread > STILL, 1.0))

    def standardise(self, x: Tensor, mask: Tensor) -> None:
        """m and s by the same."""
        r = self.r(self._even(x)).mean(0)
        level = mean(r, mask)
        self.scale.copy_(mean((r - level).square(), mask).sqrt().clamp(min=1e-6))
        self.level.copy_(level * mask.all())

    def policy_reward(self, z: Tensor, action: Tensor) -> Tensor:
        """r̂ of every step, [B, T]."""
        r = self.r(self._even(torch.cat([z, action], dim=-1))).mean(0)
        paid: Tensor = (r - self.level) / self.scale
        return paid

    def _even(self, x: Tensor) -> Tensor:
        return (x - self.centre) / self.spread
