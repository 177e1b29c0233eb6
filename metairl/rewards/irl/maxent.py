"""Maximum-entropy IRL with known dynamics (Ziebart et al. 2008, AAAI; Ziebart, Bagnell & Dey 2010, ICML).

    r_w(s) = w · φ(s),    π_w the soft-optimal policy for r_w         metairl/agents/exact/planning.py
    L(w)   = n (V_w(ρ) − μ_E · w) + ½ Σ_f λ_f (w_f − m_f)²
    ∇L     = n (μ_w − μ_E) + λ (w − m)

μ_E is the mean feature sum of n demonstrations, ρ the distribution of their initial states, and μ_w the
expected feature sum of π_w from ρ. With deterministic dynamics V_w(ρ) − μ_E · w is −log π_w(demonstration);
otherwise the two differ by a term of mean 0 that does not depend on w. m and λ are a Gaussian prior: m = 0
and one λ for all features, or both learned on training tasks (training/irl_prior.py).

The policy that acts is optimal for r_w, not soft-optimal.

Departures: w is optimised by Adam; feature sums are undiscounted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl.gradient_ascent import fit_by_gradient
from metairl.rewards.irl.solution import IRLSolution


@dataclass(frozen=True)
class Config:
    rounds: int = 100  # gradient steps, at most
    learning_rate: float = 0.1  # of Adam, annealed to zero
    tolerance: float = 1e-3  # largest gradient per demonstration at which it stops
    precision: float = 1.0  # of the prior, if it was not learned (λ)


class MaxEnt(nn.Module):
    mean: Tensor
    precision: Tensor

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.config, self.horizon, self.width = config, spec.horizon, spec.features
        self.register_buffer("mean", torch.zeros(spec.features, dtype=torch.float64))
        self.register_buffer("precision", torch.full((spec.features,), config.precision, dtype=torch.float64))

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
        return fit_by_gradient(self, Weights(self.mean, len(mdps)), mdps, demos)

    def prior(self, weights: "Weights") -> Tensor:
        """½ Σ_f λ_f (w_f − m_f)², [B]."""
        return 0.5 * (self.precision * (weights.w - self.mean).square()).sum(1)

    def initial_rewards(self, lanes: int) -> "Weights":
        return Weights(self.mean, lanes)

    def update_prior(self, weights: "Weights") -> None:
        """Sets the prior from the weights of N tasks: m their mean, 1 / λ their variance + 1 / N."""
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
