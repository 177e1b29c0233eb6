"""Max-margin IRL by constraint generation (Ratliff, Bagnell & Zinkevich 2006; Abbeel & Ng 2004).

    w, ζ = argmin ½ ‖w‖² + C ζ    s.t.  w · μ_E ≥ w · μ_j + D_j − ζ for every policy j found so far, ζ ≥ 0
    π    = argmax_π w · μ_π + D_π,   found and added, until none breaks its constraint beyond a tolerance

It begins with the policy of random actions. μ are feature sums of an episode over its length, so that one
may say how far apart policies are:

    D = 1                                           plain
    D = share of steps in states that no demonstration was in       structured

Both are 0 for a policy whose features are those shown. w = 0 explains nothing and is never taken: where only
it is left, the w before stays and the search is over. It acts by what is best for w, or as a mixture of what
was found, with the shares that come nearest to μ_E.

Departures: D of the plain margin does not take part in the search for π, being the same for all.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from metairl.errors import Infeasible
from metairl.learners.chart_planning import HARD, plan, visits, visits_by_step
from metairl.rewards.explained import Explained, feature_sums, from_shown_starts, shown_visits
from metairl.rewards.margin import mix, separate
from metairl.stats import Floats
from metairl.types import Chart, Demonstrations, Spec

SAME = 1e-6  # features as near as this are the same


@dataclass(frozen=True)
class Config:
    rounds: int = 30  # policies found, at most
    slack: float = 1000.0  # C
    tolerance: float = 1e-3  # of a constraint
    distance: Literal["plain", "structured"] = "plain"  # D
    acts: Literal["reward", "mixture"] = "reward"


@dataclass(frozen=True)
class Structured(Config):
    distance: Literal["plain", "structured"] = "structured"


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
        self.config, self.horizon = config, spec.horizon

    def explain(self, chart: Chart, shown: Demonstrations) -> Explained:
        began, demonstrated = from_shown_starts(chart, shown), shown_visits(chart, shown)
        unseen = (demonstrated == 0).to(chart.features)
        told = self._sums(chart, demonstrated)
        searches = [Search(i, told[i].numpy(), np.zeros(told.shape[1])) for i in range(len(chart))]
        found = [aimless(chart, self.horizon)]
        while len(found) <= self.config.rounds and not all(search.over for search in searches):
            spent = visits(began, found[-1])
            self._separate(searches, self._sums(chart, spent), (spent * unseen).sum(1) / self.horizon)
            thought = self._reward(chart, searches)
            extra = unseen / self.horizon if self.config.distance == "structured" else 0.0
            found.append(plan(began, thought / self.horizon + extra, self.horizon, HARD).policy)
        reward = self._reward(chart, searches)
        best = plan(chart, reward, self.horizon, HARD).policy
        policy = best if self.config.acts == "reward" else mixed(chart, found, self._shares(searches, found))
        return Explained(policy, reward, _by_round(searches))

    def _sums(self, chart: Chart, spent: Tensor) -> Tensor:
        return feature_sums(chart, spent).double() / self.horizon

    def _reward(self, chart: Chart, searches: list[Search]) -> Tensor:
        w = torch.tensor(np.array([search.w for search in searches])).to(chart.features)
        return torch.einsum("bsf,bf->bs", chart.features, w)

    def _separate(self, searches: list[Search], sums: Tensor, away: Tensor) -> None:
        """Adds what was found to every search that goes on, and looks for a new w."""
        for search in searches:
            if not search.over:
                mu = sums[search.index].numpy()
                same = float(np.linalg.norm(mu - search.shown)) <= SAME
                apart = 1.0 if self.config.distance == "plain" else float(away[search.index])
                self._go_on(search, mu, 0.0 if same else apart)

    def _go_on(self, search: Search, mu: Floats, distance: float) -> None:
        broken = search.w @ (mu - search.shown) + distance - search.slack
        if search.found and broken <= self.config.tolerance:
            search.over = True
            return
        search.found.append(mu)
        search.distances.append(distance)
        solved = separate(search.shown, np.array(search.found), np.array(search.distances), self.config.slack)
        size = float(np.linalg.norm(solved[0])) if solved else 0.0
        if solved is None or size <= SAME:
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
        return torch.tensor(shares)


def aimless(chart: Chart, horizon: int) -> Tensor:
    """Every action alike."""
    lanes, states, actions = len(chart), chart.successors.shape[1], chart.chances.shape[2]
    return torch.full((1, 1, 1, 1), 1 / actions, dtype=chart.features.dtype).expand(
        lanes, horizon, states, actions
    )


def mixed(chart: Chart, found: list[Tensor], shares: Tensor) -> Tensor:
    """The one policy that visits states as a mixture does, whose policy is drawn before an episode begins.

    π_h(a | s) = Σ_j λ_j d_h^j(s) π_h^j(a | s) / Σ_j λ_j d_h^j(s);  where nobody comes, actions are alike.
    """
    weights = torch.stack([visits_by_step(chart, policy) for policy in found], 1) * shares[:, :, None, None]
    acted = sum((weights[:, j].unsqueeze(-1) * policy for j, policy in enumerate(found)), torch.zeros(()))
    total = weights.sum(1).unsqueeze(-1)
    return (acted / total).where(total > 0, 1 / found[0].shape[-1])


def _by_round(searches: list[Search]) -> list[dict[str, Tensor]]:
    """The margin of every task at every round; where the search was over, its last."""
    last = max(len(search.margins) for search in searches)
    rows = [search.margins + search.margins[-1:] * (last - len(search.margins)) for search in searches]
    return [{"margin": column} for column in torch.tensor(rows).T]
