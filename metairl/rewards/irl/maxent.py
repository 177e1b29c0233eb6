"""Maximum-entropy IRL in a known world (Ziebart et al. 2008, 2010).

    r_w(s) = w · φ(s),    π_w the soft-optimal policy for r_w         metairl/agents/exact/planning.py
    L(w)   = n (V_w(ρ) − μ_E · w) + ½ Σ_f λ_f (w_f − m_f)²
    ∇L     = n (μ_w − μ_E) + λ (w − m)

n demonstrations begin as ρ and sum up to μ_E features on average; μ_w is what π_w can expect from ρ. Where
the world has no chance, V_w(ρ) − μ_E · w is − log π_w(demonstration); else the two differ by what chance
did, whose mean is 0 whatever w is. m and λ are a prior: 0 and the same for all, or learned on other tasks.

It acts by what is best for r_w, without softness.

Departures: w is found by Adam; features are summed in steps of an episode, undiscounted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl.gradient_ascent import descend
from metairl.rewards.irl.solution import IRLSolution


@dataclass(frozen=True)
class Config:
    rounds: int = 100  # gradient steps, at most
    rate: float = 0.1  # of Adam, at first; falls to nothing
    tolerance: float = 1e-3  # of the gradient of a demonstration, of every task: where it stops
    precision: float = 1.0  # λ where nothing was learned


class MaxEnt(nn.Module):
    mean: Tensor
    precision: Tensor

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.config, self.horizon, self.width = config, spec.horizon, spec.features
        self.register_buffer("mean", torch.zeros(spec.features, dtype=torch.float64))
        self.register_buffer("precision", torch.full((spec.features,), config.precision, dtype=torch.float64))

    def fit(self, chart: FiniteMDP, shown: Demonstrations) -> IRLSolution:
        return descend(self, Weights(self.mean, len(chart)), chart, shown)

    def prior(self, weights: "Weights") -> Tensor:
        """½ Σ_f λ_f (w_f − m_f)², [B]."""
        return 0.5 * (self.precision * (weights.w - self.mean).square()).sum(1)

    def for_many(self, lanes: int) -> "Weights":
        return Weights(self.mean, lanes)

    def learn(self, weights: "Weights") -> None:
        """Under which the weights of N other tasks are likely: m their mean, 1 / λ their variance + 1 / N."""
        w = weights.w.detach()
        self.mean.copy_(w.mean(0))
        self.precision.copy_(1 / (w.var(0, correction=0) + 1 / len(w)))


class Weights(nn.Module):
    """w of B tasks."""

    def __init__(self, mean: Tensor, lanes: int):
        super().__init__()
        self.w = nn.Parameter(mean.repeat(lanes, 1))

    def forward(self, features: Tensor) -> Tensor:
        return torch.einsum("bsf,bf->bs", features, self.w)
