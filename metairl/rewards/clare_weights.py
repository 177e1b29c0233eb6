"""Which logged pairs a reward may lean on (Yue et al. 2023, CLARE, arXiv:2302.04782).

    c(o, a) = u(o, a) / max_D u,   u as in training/mopo.py           how unsure the model is there
    n_hi    = demonstrated pairs with c > u₀,   n_lo = all pairs with c < u₀,   κ = N / N_E
    β       = κ n_hi / n_lo   where c < u₀,     −κ   where demonstrated and c > u₀,     else 0

What is taken from demonstrations that the model gets wrong is given to all pairs that it gets right: Σ β = 0.

    scheme "equal"      β = 0: maximum entropy in the model
    scheme "constant"   demonstrated 1, other logs −0.5, model −0.2, whatever the model says

An end, which a share f_d of the steps of d leads to, is followed by k steps of rest, as in rewards/adversarial/absorbing.py:

    E_d[r] = (mean_d r + f_d k r(rest)) / (1 + f_d k),   k = 1 / (1 − γ)
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from metairl.core.errors import UsageError

Scheme = Literal["paper", "equal", "constant"]
CONSTANT = {"shown": 1.0, "others": -0.5, "lived": -0.2}


@dataclass(frozen=True)
class PointwiseWeights:
    """Of N logged pairs, N_E of them demonstrated."""

    most: float  # max_D u
    threshold: float  # u₀
    given: float  # β of pairs that the model is sure of
    taken: float  # β of demonstrated pairs that it is not sure of

    @classmethod
    def of(cls, shown: Tensor, others: Tensor, threshold: float) -> "PointwiseWeights":
        """From u of every demonstrated pair and of every other one."""
        every = torch.cat([shown, others])
        most = float(every.max())
        ratio = len(every) / len(shown)
        unsure = int((shown > threshold * most).sum())
        sure = int((every < threshold * most).sum())
        if unsure and not sure:
            raise UsageError("the model is sure of no logged pair: these logs cover too little to learn from")
        return cls(most, threshold, ratio * unsure / max(1, sure), -ratio if unsure else 0.0)

    def weights(self, unsure: Tensor, shown: bool) -> Tensor:
        """β of pairs by their u."""
        share = unsure / self.most
        weight = torch.where(share < self.threshold, self.given, 0.0)
        return torch.where(share > self.threshold, self.taken, weight) if shown else weight


@dataclass(frozen=True)
class Paid:
    """What some pairs earn, and the rest that follows those of them that ended."""

    here: Tensor  # [n], r
    at_rest: Tensor  # []
    resting: float = 0.0  # f k, steps of rest for each of the pairs

    def mean(self) -> Tensor:
        """E[r]."""
        return (self.here.mean() + self.resting * self.at_rest) / (1 + self.resting)

    def mean_square(self) -> Tensor:
        """E[r²]."""
        return replace(self, here=self.here.square(), at_rest=self.at_rest.square()).mean()


def reward_loss(
    r: dict[str, Paid], beta: dict[str, Tensor], share: float, scheme: Scheme, squares: float
) -> Tensor:
    """L(r) of rewards of demonstrated pairs, of other logged ones and of pairs lived in the model.

    L = E_model[r] − E_E[r] − E_D[β r] + λ E_{model, D}[r²],   a share N_E / N of D is demonstrated

    E_D[β r] is of the two kinds of logs apart, since a batch has as many of each.
    """
    ridge = squares * torch.stack([paid.mean_square() for paid in r.values()]).mean()
    if scheme == "constant":
        return ridge - torch.stack([CONSTANT[name] * r[name].mean() for name in CONSTANT]).sum()
    leaned = r["lived"].mean() - r["shown"].mean()
    if scheme == "paper":
        shown, others = ((beta[name] * r[name].here).mean() for name in ("shown", "others"))
        leaned = leaned - share * shown - (1 - share) * others
    return leaned + ridge
