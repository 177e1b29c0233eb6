"""Apprenticeship by projection (Abbeel & Ng 2004, section 3.1), which needs no quadratic program to find w.

    w   = μ_E − μ̄                            ‖w‖ is the margin; once that is within a tolerance, w stays
    π   = argmax_π w · μ_π
    μ̄  ← μ̄ + clip((μ_π − μ̄) · (μ_E − μ̄) / ‖μ_π − μ̄‖², 0, 1) (μ_π − μ̄)

It begins with μ̄ of random actions and acts as the mixture of what was found whose features come nearest to
μ_E, which is what the paper vouches for; w alone may be the reward of something else.

Departures: none.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from metairl.agents.exact.planning import HARD, plan, visits
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl.mixed_policy import aimless, mixed
from metairl.rewards.irl.quadratic_programs import mix
from metairl.rewards.irl.solution import (
    IRLSolution,
    check_width,
    feature_sums,
    from_shown_starts,
    shown_visits,
)


@dataclass(frozen=True)
class Config:
    rounds: int = 30  # policies found, at most
    tolerance: float = 1e-3  # of feature means
    acts: Literal["reward", "mixture"] = "mixture"


class Projection:
    def __init__(self, spec: Spec, config: Config):
        self.config, self.horizon, self.width = config, spec.horizon, spec.features

    def fit(self, chart: FiniteMDP, shown: Demonstrations) -> IRLSolution:
        check_width(chart, self.width)
        began, demonstrated = from_shown_starts(chart, shown), shown_visits(chart, shown)
        told = feature_sums(chart, demonstrated) / self.horizon
        found = [aimless(chart, self.horizon)]
        sums = [feature_sums(chart, visits(began, found[0])) / self.horizon]
        near, w, rounds = sums[0], told - sums[0], []
        while True:
            margin = (told - near).norm(dim=1)
            rounds.append({"margin": margin})
            searching = (margin > self.config.tolerance).unsqueeze(1)
            w = (told - near).where(searching, w)
            reward = torch.einsum("bsf,bf->bs", chart.features, w)
            if len(found) > self.config.rounds or not bool(searching.any()):
                break
            found.append(plan(began, reward, self.horizon, HARD).policy)
            sums.append(feature_sums(chart, visits(began, found[-1])) / self.horizon)
            near = near + searching * _share(near, sums[-1], told) * (sums[-1] - near)
        best = plan(chart, reward, self.horizon, HARD).policy
        policy = best if self.config.acts == "reward" else mixed(chart, found, _mixture(told, sums))
        return IRLSolution(policy, reward, rounds)


def _share(near: Tensor, new: Tensor, told: Tensor) -> Tensor:
    """Of the way from μ̄ to μ_π, how much comes nearest to μ_E, [B, 1]."""
    way = new - near
    share = (way * (told - near)).sum(1) / way.square().sum(1).clamp(min=1e-12)
    return share.clamp(0, 1).unsqueeze(1)


def _mixture(told: Tensor, sums: list[Tensor]) -> Tensor:
    """λ [B, J]."""
    every = torch.stack(sums, 1).double().cpu().numpy()
    shares = [mix(one, found) for one, found in zip(told.double().cpu().numpy(), every, strict=True)]
    return torch.from_numpy(np.array(shares))
