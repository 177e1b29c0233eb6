"""Maximum-entropy IRL with a network for the reward (Wulfmeier et al. 2015, arXiv:1507.04888).

    r_θ(s) = f_θ(φ(s)),    π_θ the soft-optimal policy for r_θ         metairl/agents/exact/planning.py
    L(θ)   = n (V_θ(ρ) − D_E · r_θ) + ½ λ ‖θ − θ₀‖²
    ∇L     = n Σ_s (D_θ(s) − D_E(s)) ∇r_θ(s) + λ (θ − θ₀)

n demonstrations begin as ρ and are D_E(s) times in a state on average; D_θ is how often π_θ is there from ρ.
θ₀ is where θ begins: fresh weights, or those of one network that explains many other tasks together.

It acts by what is best for r_θ, without softness.

Departures: θ is found by Adam; layers that read a cell's own features, no convolutions.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metairl.core.networks import Members
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl.gradient_ascent import descend
from metairl.rewards.irl.solution import IRLSolution


@dataclass(frozen=True)
class Config:
    rounds: int = 100  # gradient steps, at most
    rate: float = 1e-2  # of Adam, at first; falls to nothing
    tolerance: float = 1e-3  # of the gradient of a demonstration, of every task: where it stops
    hidden: tuple[int, ...] = (32, 32)
    decay: float = 10.0  # λ


class DeepMaxEnt(nn.Module):
    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.config, self.horizon, self.width = config, spec.horizon, spec.features
        self.first = Networks(spec.features, config.hidden)  # θ₀

    def fit(self, chart: FiniteMDP, shown: Demonstrations) -> IRLSolution:
        return descend(self, self.first.copies(len(chart)), chart, shown)

    def prior(self, networks: "Networks") -> Tensor:
        """½ λ ‖θ − θ₀‖², [B]."""
        pairs = zip(networks.parameters(), self.first.parameters(), strict=True)
        apart = [(own - first.detach()).square().flatten(1).sum(1) for own, first in pairs]
        return 0.5 * self.config.decay * torch.stack(apart).sum(0)

    def for_many(self, lanes: int) -> "Networks":
        return self.first

    def learn(self, networks: "Networks") -> None:
        """They are θ₀ itself."""


class Networks(nn.Module):
    """f_θ of B tasks; made for one, which all share."""

    def __init__(self, features: int, hidden: tuple[int, ...]):
        super().__init__()
        self.net = Members(1, features, *hidden, 1).double()

    def copies(self, lanes: int) -> "Networks":
        """One for each of B tasks."""
        made = deepcopy(self)
        for weight in made.parameters():
            weight.data = weight.data.expand(lanes, *weight.shape[1:]).clone()
        return made

    def forward(self, features: Tensor) -> Tensor:
        lanes = len(self.net.weights[0])
        rows = features if lanes > 1 else features.flatten(0, 1).unsqueeze(0)
        return self.net.each(rows).view(features.shape[:2])
