"""Maximum-entropy IRL with a network for the reward (Wulfmeier et al. 2015, arXiv:1507.04888).

    r_θ(s) = f_θ(φ(s)),    π_θ the soft-optimal policy for r_θ         metairl/agents/exact/planning.py
    L(θ)   = n (V_θ(ρ) − D_E · r_θ) + ½ λ ‖θ − θ₀‖²
    ∇L     = n Σ_s (D_θ(s) − D_E(s)) ∇r_θ(s) + λ (θ − θ₀)

D_E(s) is the mean number of visits of a state in n demonstrations, ρ the distribution of their initial
states, and D_θ(s) the expected number of visits of π_θ from ρ. θ starts at θ₀: fresh weights, or those of one
network fitted to all training tasks (training/irl_prior.py).

The policy that acts is optimal for r_θ, not soft-optimal.

Departures: θ is optimised by Adam; the network reads each cell's own features, without convolutions.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metairl.core.networks import ParallelMLPs
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl.gradient_ascent import fit_by_gradient
from metairl.rewards.irl.solution import IRLSolution


@dataclass(frozen=True)
class Config:
    rounds: int = 100  # gradient steps, at most
    learning_rate: float = 1e-2  # of Adam, annealed to zero
    tolerance: float = 1e-3  # largest gradient per demonstration at which it stops
    hidden: tuple[int, ...] = (32, 32)  # hidden layers of f
    decay: float = 10.0  # weight of the distance from the initial weights (λ)


class DeepMaxEnt(nn.Module):
    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.config, self.horizon, self.width = config, spec.horizon, spec.features
        self.first = Networks(spec.features, config.hidden)  # θ₀

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
        return fit_by_gradient(self, self.first.copies(len(mdps)), mdps, demos)

    def prior(self, networks: "Networks") -> Tensor:
        """½ λ ‖θ − θ₀‖², [B]."""
        pairs = zip(networks.parameters(), self.first.parameters(), strict=True)
        squares = [(own - first.detach()).square().flatten(1).sum(1) for own, first in pairs]
        return 0.5 * self.config.decay * torch.stack(squares).sum(0)

    def initial_rewards(self, lanes: int) -> "Networks":
        return self.first

    def update_prior(self, networks: "Networks") -> None:
        """Nothing to do: the fitted network is θ₀."""


class Networks(nn.Module):
    """f_θ of B tasks; created for one, which all tasks share."""

    def __init__(self, features: int, hidden: tuple[int, ...]):
        super().__init__()
        self.net = ParallelMLPs(1, features, *hidden, 1).double()

    def copies(self, lanes: int) -> "Networks":
        """A network for each of B tasks."""
        copies = deepcopy(self)
        for weight in copies.parameters():
            weight.data = weight.data.expand(lanes, *weight.shape[1:]).clone()
        return copies

    def forward(self, features: Tensor) -> Tensor:
        lanes = len(self.net.weights[0])
        rows = features if lanes > 1 else features.flatten(0, 1).unsqueeze(0)
        return self.net.forward_each(rows).view(features.shape[:2])
