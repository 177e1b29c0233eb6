"""Max-margin IRL by constraint generation (Ratliff, Bagnell & Zinkevich 2006; Abbeel & Ng 2004).

    w, ζ = argmin ½ ‖w‖² + C ζ    s.t.  w · μ_E ≥ w · μ_j + D_j − ζ for every policy j found so far, ζ ≥ 0
    π    = argmax_π w · μ_π + D_π,   found and added, until none breaks its constraint beyond a tolerance

It begins with the policy of random actions. μ are feature sums of an episode over its length, so that one
may say how far apart policies are:

    D = 1                                           plain
    D = share of steps in states that no demonstration was in       structured

Both are 0 for a policy whose features are those shown; where demonstrations were in every state, the margin
is plain. w = 0 explains nothing and is never taken: where only it is left, the w before stays and the search
is over. It acts by what is best for w, or as a mixture of what was found, with the shares that come nearest
to μ_E.

Departures: D of the plain margin does not take part in the search for π, being the same for all.
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
from metairl.rewards.irl.mixed_policy import aimless, mixed
from metairl.rewards.irl.quadratic_programs import mix, separate
from metairl.rewards.irl.solution import (
    IRLSolution,
    check_width,
    feature_sums,
    from_shown_starts,
    shown_visits,
)

SAME = 1e-6  # features as near as this are the same
NOTHING = 1e-3  # weights whose margin is less than this, and what was asked for is 1


@dataclass(frozen=True)
class Config:
    rounds: int = 30  # policies found, at most
    slack: float = 1000.0  # C
    tolerance: float = 1e-3  # of a constraint
    distance: Literal["plain", "structured"] = "plain"  # D
    acts: Literal["reward", "mixture"] = "reward"


@dataclass
class Search:
    """Of one task."""

    index: int
    shown: Floats  # μ_E [F]
    w: Floats  # [F]
    found: list[Floats] = field(default_factory=list)  # μ_j
    distances: list[float] = field(default_factory=list)  # D_j
    margins: list[float] = field(default_factory=list)  # of every round, ‖w‖ = 1
    slack: float = 0.0
    over: bool = False


class MaxMargin:
    def __init__(self, spec: Spec, config: Config):
        self.config, self.horizon, self.width = config, spec.horizon, spec.features

    def fit(self, chart: FiniteMDP, shown: Demonstrations) -> IRLSolution:
        check_width(chart, self.width)
        began, demonstrated = from_shown_starts(chart, shown), shown_visits(chart, shown)
        unseen = (demonstrated == 0).to(chart.features)
        told = self._sums(chart, demonstrated)
        searches = [Search(i, shown_sums, np.zeros(told.shape[1])) for i, shown_sums in enumerate(told)]
        found = [aimless(chart, self.horizon)]
        plain = unseen.sum(1) == 0 if self.config.distance == "structured" else unseen.sum(1) >= 0
        while len(found) <= self.config.rounds and not all(search.over for search in searches):
            spent = visits(began, found[-1])
            away = ((spent * unseen).sum(1) / self.horizon).where(~plain, 1.0)
            self._separate(searches, self._sums(chart, spent), away.cpu().numpy())
            thought = self._reward(chart, searches) + unseen.where(~plain.unsqueeze(1), 0.0)
            found.append(plan(began, thought / self.horizon, self.horizon, HARD).policy)
        reward = self._reward(chart, searches)
        best = plan(chart, reward, self.horizon, HARD).policy
        policy = best if self.config.acts == "reward" else mixed(chart, found, self._shares(searches, found))
        return IRLSolution(policy, reward, _by_round(searches))

    def _sums(self, chart: FiniteMDP, spent: Tensor) -> Floats:
        """μ [B, F]."""
        sums: Floats = (feature_sums(chart, spent).double() / self.horizon).cpu().numpy()
        return sums

    def _reward(self, chart: FiniteMDP, searches: list[Search]) -> Tensor:
        w = torch.tensor(np.array([search.w for search in searches])).to(chart.features)
        return torch.einsum("bsf,bf->bs", chart.features, w)

    def _separate(self, searches: list[Search], sums: Floats, away: Floats) -> None:
        """Adds what was found to every search that goes on, and looks for a new w."""
        for search in searches:
            if not search.over:
                mu = sums[search.index]
                same = float(np.linalg.norm(mu - search.shown)) <= SAME
                self._go_on(search, mu, 0.0 if same else float(away[search.index]))

    def _go_on(self, search: Search, mu: Floats, distance: float) -> None:
        broken = float(search.w @ (mu - search.shown)) + distance - search.slack
        search.over = bool(search.found) and broken <= self.config.tolerance
        search.found.append(mu)
        search.distances.append(distance)
        if search.over:
            return
        solved = separate(search.shown, np.array(search.found), np.array(search.distances), self.config.slack)
        size = float(np.linalg.norm(solved[0])) if solved else 0.0
        if solved is None or size <= NOTHING * max(search.distances):
            search.over = True
            if not search.w.any():
                raise Infeasible(
                    f"task {search.index}: no reward of these features sets its demonstrations apart from "
                    "random actions; show other ones, or give states other features"
                )
            return
        search.w, search.slack = solved
        search.margins.append(float(min((search.shown - np.array(search.found)) @ search.w)) / size)

    def _shares(self, searches: list[Search], found: list[Tensor]) -> Tensor:
        """λ [B, J]."""
        shares = np.zeros((len(searches), len(found)))
        for search in searches:
            shares[search.index, : len(search.found)] = mix(search.shown, np.array(search.found))
        return torch.from_numpy(shares)


def _by_round(searches: list[Search]) -> list[dict[str, Tensor]]:
    """The margin of every task at every round; where the search was over, its last."""
    last = max(len(search.margins) for search in searches)
    rows = [search.margins + search.margins[-1:] * (last - len(search.margins)) for search in searches]
    return [{"margin": column} for column in torch.tensor(rows).T]
