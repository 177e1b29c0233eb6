"""CLARE's pointwise weights β(s, a) and its reward loss (Yue et al. 2023, arXiv:2302.04782).

    c(o, a) = u(o, a) / max_D u,   u as in training/model_rollouts.py       relative model uncertainty
    n_hi    = expert pairs with c > u₀,   n_lo = all pairs with c < u₀,   κ = N / N_E
    β       = κ n_hi / n_lo   where c < u₀,     −κ   of expert pairs with c > u₀,     else 0

The weight removed from expert pairs on which the model is uncertain is given to all pairs on which it is
certain: Σ β = 0.

    scheme "equal"      β = 0: maximum entropy IRL in the model
    scheme "constant"   expert 1, other data −0.5, model rollouts −0.2, whatever the uncertainty

A terminal transition, a share f_d of the steps of d, is followed by k absorbing steps, as in
rewards/adversarial/absorbing.py:

    E_d[r] = (mean_d r + f_d k r(absorbing)) / (1 + f_d k),   k = 1 / (1 − γ)
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from metairl.core.errors import UsageError

Scheme = Literal["paper", "equal", "constant"]
CONSTANT = {"expert": 1.0, "other": -0.5, "model": -0.2}


@dataclass(frozen=True)
class PointwiseWeights:
    """β of N logged pairs, N_E of them of the expert."""

    max_uncertainty: float  # max_D u
    threshold: float  # u₀
    certain: float  # β of pairs below the threshold
    uncertain: float  # β of expert pairs above it

    @classmethod
    def of(cls, expert: Tensor, other: Tensor, threshold: float) -> "PointwiseWeights":
        """From u of every expert pair and of every other pair."""
        every = torch.cat([expert, other])
        largest = float(every.max())
        ratio = len(every) / len(expert)
        above = int((expert > threshold * largest).sum())
        below = int((every < threshold * largest).sum())
        if above and not below:
            raise UsageError("the model is uncertain about every logged pair: the data covers too little")
        return cls(largest, threshold, ratio * above / max(1, below), -ratio if above else 0.0)

    def weights(self, uncertainty: Tensor, expert: bool) -> Tensor:
        """β of pairs by their u."""
        relative = uncertainty / self.max_uncertainty
        weight = torch.where(relative < self.threshold, self.certain, 0.0)
        return torch.where(relative > self.threshold, self.uncertain, weight) if expert else weight


@dataclass(frozen=True)
class RewardBatch:
    """Rewards of n pairs, and of the absorbing steps that follow the terminal ones."""

    reward: Tensor  # [n], r
    absorbing: Tensor  # [], r in the absorbing state
    absorbing_steps: float = 0.0  # f k, absorbing steps for each pair on average

    def mean(self) -> Tensor:
        """E[r]."""
        return (self.reward.mean() + self.absorbing_steps * self.absorbing) / (1 + self.absorbing_steps)

    def mean_square(self) -> Tensor:
        """E[r²]."""
        return replace(self, reward=self.reward.square(), absorbing=self.absorbing.square()).mean()


def reward_loss(
    r: dict[str, RewardBatch], beta: dict[str, Tensor], share: float, scheme: Scheme, decay: float
) -> Tensor:
    """L(r) of rewards of expert pairs, of other logged pairs and of model rollouts.

    L = E_model[r] − E_E[r] − E_D[β r] + λ E_{model, D}[r²],   a share N_E / N of D is of the expert

    E_D[β r] is computed for the two kinds of data apart, since a batch has as many of each.
    """
    ridge = decay * torch.stack([batch.mean_square() for batch in r.values()]).mean()
    if scheme == "constant":
        return ridge - torch.stack([CONSTANT[name] * r[name].mean() for name in CONSTANT]).sum()
    loss = r["model"].mean() - r["expert"].mean()
    if scheme == "paper":
        expert, other = ((beta[name] * r[name].reward).mean() for name in ("expert", "other"))
        loss = loss - share * expert - (1 - share) * other
    return loss + ridge
