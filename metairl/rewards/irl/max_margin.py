"""Max-margin IRL by constraint generation (Ratliff, Bagnell & Zinkevich 2006; Abbeel & Ng 2004).

    w, ζ = argmin ½ ‖w‖² + C ζ    s.t.  w · μ_E ≥ w · μ_j + D_j − ζ for every policy j found so far, ζ ≥ 0
    π    = argmax_π w · μ_π + D_π,   found and added, until none breaks its constraint beyond a tolerance

The first policy is the uniform one. μ are feature expectations of an episode divided by its length. A policy's
distance from the demonstrations is

    D = 1                                                           plain
    D = share of steps in states that no demonstration visits       structured

Both are 0 for a policy with the demonstrations' features; if demonstrations visit every state, the margin is
plain. w = 0 is a trivial solution and is never taken: if no other is left, the search keeps the previous w and stops.
The policy that acts is optimal for w, or the mixture of all policies found that is nearest to μ_E.

Departures: the plain D is the same for all policies and is left out of the search for π.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from metairl.agents.exact.planning import HARD, plan, visits
from metairl.core.arrays import Floats
from metairl.core.errors import Infeasible
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl.mixed_policy import mixture_policy, uniform_policy
from metairl.rewards.irl.quadratic_programs import max_margin_weights, mixture_weights
from metairl.rewards.irl.solution import (
    IRLSolution,
    check_width,
    expert_visitation,
    feature_expectations,
    with_demo_starts,
)

SAME = 1e-6  # feature vectors at this distance are equal
TRIVIAL = 1e-3  # weights whose norm is below this share of the margin count as w = 0


@dataclass(frozen=True)
class Config:
    rounds: int = 30  # policies added, at most
    slack: float = 1000.0  # weight of the slack (C)
    tolerance: float = 1e-3  # violation of a constraint at which it stops
    distance: Literal["plain", "structured"] = "plain"  # distance of a policy from the demonstrations (D)
    policy: Literal["reward", "mixture"] = "reward"  # act optimally for the reward, or as the mixture


@dataclass
class ConstraintGeneration:
    """The search in one task: the constraints generated so far, and the weights that satisfy them."""

    task: int
    expert: Floats  # μ_E [F]
    w: Floats  # [F]
    features: list[Floats] = field(default_factory=list)  # μ_j of the policies found
    distances: list[float] = field(default_factory=list)  # D_j
    margins: list[float] = field(default_factory=list)  # after every round, for ‖w‖ = 1
    slack: float = 0.0
    finished: bool = False


class MaxMargin:
    def __init__(self, spec: Spec, config: Config):
        self.config, self.horizon, self.width = config, spec.horizon, spec.features

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
        check_width(mdps, self.width)
        starts, visited = with_demo_starts(mdps, demos), expert_visitation(mdps, demos)
        unseen = (visited == 0).to(mdps.features)
        expert = self._feature_means(mdps, visited)
        searches = [ConstraintGeneration(i, mu, np.zeros(expert.shape[1])) for i, mu in enumerate(expert)]
        policies = [uniform_policy(mdps, self.horizon)]
        plain = unseen.sum(1) == 0 if self.config.distance == "structured" else unseen.sum(1) >= 0
        while len(policies) <= self.config.rounds and not all(search.finished for search in searches):
            visited = visits(starts, policies[-1])
            distance = ((visited * unseen).sum(1) / self.horizon).where(~plain, 1.0)
            self._add_constraints(searches, self._feature_means(mdps, visited), distance.cpu().numpy())
            augmented = self._reward(mdps, searches) + unseen.where(~plain.unsqueeze(1), 0.0)
            policies.append(plan(starts, augmented / self.horizon, self.horizon, HARD).policy)
        reward = self._reward(mdps, searches)
        policy = plan(mdps, reward, self.horizon, HARD).policy
        if self.config.policy == "mixture":
            policy = mixture_policy(mdps, policies, _mixture(searches, len(policies)))
        return IRLSolution(policy, reward, _by_round(searches))

    def _feature_means(self, mdps: FiniteMDP, visited: Tensor) -> Floats:
        """μ [B, F]."""
        means: Floats = (feature_expectations(mdps, visited).double() / self.horizon).cpu().numpy()
        return means

    def _reward(self, mdps: FiniteMDP, searches: list[ConstraintGeneration]) -> Tensor:
        """w · φ [B, S]."""
        w = torch.tensor(np.array([search.w for search in searches])).to(mdps.features)
        return torch.einsum("bsf,bf->bs", mdps.features, w)

    def _add_constraints(self, searches: list[ConstraintGeneration], means: Floats, distance: Floats) -> None:
        """Adds the new policy's constraint to every search that is not finished, and solves for a new w."""
        for search in searches:
            if not search.finished:
                mu = means[search.task]
                same = float(np.linalg.norm(mu - search.expert)) <= SAME
                self._add_constraint(search, mu, 0.0 if same else float(distance[search.task]))

    def _add_constraint(self, search: ConstraintGeneration, mu: Floats, distance: float) -> None:
        violation = float(search.w @ (mu - search.expert)) + distance - search.slack
        search.finished = bool(search.features) and violation <= self.config.tolerance
        search.features.append(mu)
        search.distances.append(distance)
        if search.finished:
            return
        features, distances = np.array(search.features), np.array(search.distances)
        solved = max_margin_weights(search.expert, features, distances, self.config.slack)
        norm = float(np.linalg.norm(solved[0])) if solved else 0.0
        if solved is None or norm <= TRIVIAL * max(search.distances):
            search.finished = True
            if not search.w.any():
                raise Infeasible(
                    f"task {search.task}: no reward of these features sets its demonstrations apart from "
                    "random actions; add others, or give states other features"
                )
            return
        search.w, search.slack = solved
        search.margins.append(float(min((search.expert - features) @ search.w)) / norm)


def _mixture(searches: list[ConstraintGeneration], policies: int) -> Tensor:
    """λ of every policy found, [B, J]."""
    weights = np.zeros((len(searches), policies))
    for search in searches:
        found = len(search.features)
        weights[search.task, :found] = mixture_weights(search.expert, np.array(search.features))
    return torch.from_numpy(weights)


def _by_round(searches: list[ConstraintGeneration]) -> list[dict[str, Tensor]]:
    """The margin of every task after every round; its last one once its search is finished."""
    last = max(len(search.margins) for search in searches)
    rows = [search.margins + search.margins[-1:] * (last - len(search.margins)) for search in searches]
    return [{"margin": column} for column in torch.tensor(rows).T]
