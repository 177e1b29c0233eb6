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
from metairl.rewards.irl.mixed_policy import mixed, uniform_policy
from metairl.rewards.irl.quadratic_programs import mix
from metairl.rewards.irl.solution import (
    IRLSolution,
    check_width,
    demo_visits,
    feature_sums,
    with_demo_starts,
)


@dataclass(frozen=True)
class Config:
    rounds: int = 30  # policies added, at most
    tolerance: float = 1e-3  # distance of feature means at which it stops
    acts: Literal["reward", "mixture"] = "mixture"  # which policy acts


class Projection:
    def __init__(self, spec: Spec, config: Config):
        self.config, self.horizon, self.width = config, spec.horizon, spec.features

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
        check_width(mdps, self.width)
        starts = with_demo_starts(mdps, demos)
        demo_sums = feature_sums(mdps, demo_visits(mdps, demos)) / self.horizon
        found = [uniform_policy(mdps, self.horizon)]
        sums = [feature_sums(mdps, visits(starts, found[0])) / self.horizon]
        nearest, w, rounds = sums[0], demo_sums - sums[0], []
        while True:
            margin = (demo_sums - nearest).norm(dim=1)
            rounds.append({"margin": margin})
            searching = (margin > self.config.tolerance).unsqueeze(1)
            w = (demo_sums - nearest).where(searching, w)
            reward = torch.einsum("bsf,bf->bs", mdps.features, w)
            if len(found) > self.config.rounds or not bool(searching.any()):
                break
            found.append(plan(starts, reward, self.horizon, HARD).policy)
            sums.append(feature_sums(mdps, visits(starts, found[-1])) / self.horizon)
            step = _step_size(nearest, sums[-1], demo_sums)
            nearest = nearest + searching * step * (sums[-1] - nearest)
        best = plan(mdps, reward, self.horizon, HARD).policy
        policy = best if self.config.acts == "reward" else mixed(mdps, found, _mixture(demo_sums, sums))
        return IRLSolution(policy, reward, rounds)


def _step_size(nearest: Tensor, new: Tensor, demo_sums: Tensor) -> Tensor:
    """The share of the way from μ̄ to μ_π that comes nearest to μ_E, [B, 1]."""
    way = new - nearest
    share = (way * (demo_sums - nearest)).sum(1) / way.square().sum(1).clamp(min=1e-12)
    return share.clamp(0, 1).unsqueeze(1)


def _mixture(demo_sums: Tensor, sums: list[Tensor]) -> Tensor:
    """λ [B, J]."""
    every = torch.stack(sums, 1).double().cpu().numpy()
    shares = [mix(one, found) for one, found in zip(demo_sums.double().cpu().numpy(), every, strict=True)]
    return torch.from_numpy(np.array(shares))
