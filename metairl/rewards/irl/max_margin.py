"""Max-margin IRL by constraint generation (Ratliff, Bagnell & Zinkevich 2006; Abbeel & Ng 2004).

    w, ζ = argmin ½ ‖w‖² + C ζ    s.t.  w · μ_E ≥ w · μ_j + D_j − ζ for every policy j found so far, ζ ≥ 0
    π    = argmax_π w · μ_π + D_π,   found and added, until none breaks its constraint beyond a tolerance

The first policy is the uniform one. μ are feature sums of an episode divided by its length, and the margin is

    D = 1                                                           plain
    D = share of steps in states that no demonstration visits       structured

Both are 0 for a policy with the demonstrations' features; if demonstrations visit every state, the margin is
plain. w = 0 is a trivial solution and is never taken: if no other is left, the search stops with the w before.
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
from metairl.rewards.irl.mixed_policy import mixed, uniform_policy
from metairl.rewards.irl.quadratic_programs import mix, separate
from metairl.rewards.irl.solution import (
    IRLSolution,
    check_width,
    demo_visits,
    feature_sums,
    with_demo_starts,
)

SAME = 1e-6  # feature vectors at this distance are equal
TRIVIAL = 1e-3  # weights whose norm is below this share of the margin count as w = 0


@dataclass(frozen=True)
class Config:
    rounds: int = 30  # policies added, at most
    slack: float = 1000.0  # weight of the slack (C)
    tolerance: float = 1e-3  # violation of a constraint at which it stops
    distance: Literal["plain", "structured"] = "plain"  # the margin (D)
    acts: Literal["reward", "mixture"] = "reward"  # which policy acts


@dataclass
class Search:
    """The search in one task."""

    index: int
    demos: Floats  # μ_E [F]
    w: Floats  # [F]
    found: list[Floats] = field(default_factory=list)  # μ_j
    distances: list[float] = field(default_factory=list)  # D_j
    margins: list[float] = field(default_factory=list)  # after every round, for ‖w‖ = 1
    slack: float = 0.0
    over: bool = False


class MaxMargin:
    def __init__(self, spec: Spec, config: Config):
        self.config, self.horizon, self.width = config, spec.horizon, spec.features

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
        check_width(mdps, self.width)
        starts, visited = with_demo_starts(mdps, demos), demo_visits(mdps, demos)
        unseen = (visited == 0).to(mdps.features)
        demo_sums = self._sums(mdps, visited)
        searches = [Search(i, sums, np.zeros(demo_sums.shape[1])) for i, sums in enumerate(demo_sums)]
        found = [uniform_policy(mdps, self.horizon)]
        plain = unseen.sum(1) == 0 if self.config.distance == "structured" else unseen.sum(1) >= 0
        while len(found) <= self.config.rounds and not all(search.over for search in searches):
            visited = visits(starts, found[-1])
            distance = ((visited * unseen).sum(1) / self.horizon).where(~plain, 1.0)
            self._separate(searches, self._sums(mdps, visited), distance.cpu().numpy())
            augmented = self._reward(mdps, searches) + unseen.where(~plain.unsqueeze(1), 0.0)
            found.append(plan(starts, augmented / self.horizon, self.horizon, HARD).policy)
        reward = self._reward(mdps, searches)
        best = plan(mdps, reward, self.horizon, HARD).policy
        policy = best if self.config.acts == "reward" else mixed(mdps, found, self._shares(searches, found))
        return IRLSolution(policy, reward, _by_round(searches))

    def _sums(self, mdps: FiniteMDP, visited: Tensor) -> Floats:
        """μ [B, F]."""
        sums: Floats = (feature_sums(mdps, visited).double() / self.horizon).cpu().numpy()
        return sums

    def _reward(self, mdps: FiniteMDP, searches: list[Search]) -> Tensor:
        w = torch.tensor(np.array([search.w for search in searches])).to(mdps.features)
        return torch.einsum("bsf,bf->bs", mdps.features, w)

    def _separate(self, searches: list[Search], sums: Floats, distance: Floats) -> None:
        """Adds the new policy to every search that is not over, and solves for a new w."""
        for search in searches:
            if not search.over:
                mu = sums[search.index]
                same = float(np.linalg.norm(mu - search.demos)) <= SAME
                self._add(search, mu, 0.0 if same else float(distance[search.index]))

    def _add(self, search: Search, mu: Floats, distance: float) -> None:
        violation = float(search.w @ (mu - search.demos)) + distance - search.slack
        search.over = bool(search.found) and violation <= self.config.tolerance
        search.found.append(mu)
        search.distances.append(distance)
        if search.over:
            return
        solved = separate(search.demos, np.array(search.found), np.array(search.distances), self.config.slack)
        size = float(np.linalg.norm(solved[0])) if solved else 0.0
        if solved is None or size <= TRIVIAL * max(search.distances):
            search.over = True
            if not search.w.any():
                raise Infeasible(
                    f"task {search.index}: no reward of these features sets its demonstrations apart from "
                    "random actions; add others, or give states other features"
                )
            return
        search.w, search.slack = solved
        search.margins.append(float(min((search.demos - np.array(search.found)) @ search.w)) / size)

    def _shares(self, searches: list[Search], found: list[Tensor]) -> Tensor:
        """λ [B, J]."""
        shares = np.zeros((len(searches), len(found)))
        for search in searches:
            shares[search.index, : len(search.found)] = mix(search.demos, np.array(search.found))
        return torch.from_numpy(shares)


def _by_round(searches: list[Search]) -> list[dict[str, Tensor]]:
    """The margin of every task after every round; the last one once its search is over."""
    last = max(len(search.margins) for search in searches)
    rows = [search.margins + search.margins[-1:] * (last - len(search.margins)) for search in searches]
    return [{"margin": column} for column in torch.tensor(rows).T]
