"""Apprenticeship learning by projection (Abbeel & Ng 2004, ICML, section 3.1): max-margin without a QP.

    w   = μ_E − μ̄                            ‖w‖ is the margin; it stops below a tolerance
    π   = argmax_π w · μ_π
    μ̄  ← μ̄ + clip((μ_π − μ̄) · (μ_E − μ̄) / ‖μ_π − μ̄‖², 0, 1) (μ_π − μ̄)

μ̄ starts at the features of the uniform policy. The policy that acts is the mixture of all policies found
whose features are nearest to μ_E, for which the paper gives its guarantee; the policy optimal for w alone has
none.

Departures: none.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from metairl.agents.exact.planning import HARD, plan, visits
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl.mixed_policy import mixture_policy, uniform_policy
from metairl.rewards.irl.quadratic_programs import mixture_weights
from metairl.rewards.irl.solution import (
    IRLSolution,
    check_width,
    expert_visitation,
    feature_expectations,
    with_demo_starts,
)


@dataclass(frozen=True)
class Config:
    rounds: int = 30  # policies added, at most
    tolerance: float = 1e-3  # distance of feature means at which it stops
    policy: Literal["reward", "mixture"] = "mixture"  # act optimally for the reward, or as the mixture


class Projection:
    def __init__(self, spec: Spec, config: Config):
        self.config, self.horizon, self.width = config, spec.horizon, spec.features

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
        check_width(mdps, self.width)
        starts = with_demo_starts(mdps, demos)
        expert = feature_expectations(mdps, expert_visitation(mdps, demos)) / self.horizon
        policies = [uniform_policy(mdps, self.horizon)]
        features = [feature_expectations(mdps, visits(starts, policies[0])) / self.horizon]
        nearest, w, rounds = features[0], expert - features[0], []
        while True:
            margin = (expert - nearest).norm(dim=1)
            rounds.append({"margin": margin})
            searching = (margin > self.config.tolerance).unsqueeze(1)
            w = (expert - nearest).where(searching, w)
            reward = torch.einsum("bsf,bf->bs", mdps.features, w)
            if len(policies) > self.config.rounds or not bool(searching.any()):
                break
            policies.append(plan(starts, reward, self.horizon, HARD).policy)
            features.append(feature_expectations(mdps, visits(starts, policies[-1])) / self.horizon)
            step = _step_size(nearest, features[-1], expert)
            nearest = nearest + searching * step * (features[-1] - nearest)
        policy = plan(mdps, reward, self.horizon, HARD).policy
        if self.config.policy == "mixture":
            policy = mixture_policy(mdps, policies, _mixture(expert, features))
        return IRLSolution(policy, reward, rounds)


def _step_size(nearest: Tensor, new: Tensor, expert: Tensor) -> Tensor:
    """The step from μ̄ towards μ_π that ends nearest to μ_E, as a share of their distance, [B, 1]."""
    direction = new - nearest
    step = (direction * (expert - nearest)).sum(1) / direction.square().sum(1).clamp(min=1e-12)
    return step.clamp(0, 1).unsqueeze(1)


def _mixture(expert: Tensor, features: list[Tensor]) -> Tensor:
    """λ of every policy found, [B, J]."""
    by_task = torch.stack(features, 1).double().cpu().numpy()
    weights = [mixture_weights(*pair) for pair in zip(expert.double().cpu().numpy(), by_task, strict=True)]
    return torch.from_numpy(np.array(weights))
