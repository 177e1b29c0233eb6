"""The finite-horizon Gittins index of Bernoulli arms (Gittins 1979; Chakravorty & Mahajan 2013).

An arm in state (s, f) with r pulls to go is worth a sure reward of λ a pull when, free to leave for that
reward at any time, one is indifferent between leaving now and pulling at least once more:

    V_r(s, f; λ) = max( r λ,  m + m V_{r−1}(s+1, f; λ) + (1−m) V_{r−1}(s, f+1; λ) ),   m = (1+s) / (2+s+f)
    index_r(s, f) = min { λ : V_r(s, f; λ) = r λ }

The arm with the largest index is pulled. V is computed for all states and a grid of λ at once, r upwards,
as the gain over leaving, G = V − r λ ≥ 0, so the index is where m − λ + (expected gain) crosses zero.

Departures: independent arms make the index optimal only for discounted infinite play, so with a deadline it
is an approximation (see bayes_bandit.py for the optimum); λ is interpolated between grid points.
"""

from functools import lru_cache

import torch
from torch import Generator, Tensor

from metairl.learners.bandit_rules import CountingRule, NoConfig
from metairl.types import Context, Spec

GRID = 48  # retirement rates; interpolation errs by up to 0.002 at n = 10, 0.011 at 60


class Gittins(CountingRule):
    def __init__(self, spec: Spec, config: NoConfig):
        self.arms = spec.actions
        self.horizon = spec.steps
        self.first, self.index = index_table(spec.steps)

    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        pulls = (wins + losses).long()
        time = pulls.sum(1, keepdim=True)
        remaining = self.horizon - time
        return self.index[self.first[remaining] + pulls * (pulls + 1) // 2 + wins.long()]


@lru_cache(maxsize=2)
def index_table(horizon: int) -> tuple[Tensor, Tensor]:
    """Indices of every reachable (r, s + f, s), flat, and where each r begins.

    With r pulls to go, horizon − r have been made, so s + f ≤ horizon − r: a triangle of states.
    """
    rates = torch.linspace(0.0, 1.0, GRID)
    first = torch.zeros(horizon + 1, dtype=torch.int64)
    tables: list[Tensor] = []
    gain = torch.zeros((horizon + 1) * (horizon + 2) // 2, GRID)  # of states with s + f ≤ horizon
    for remaining in range(1, horizon + 1):
        states = (horizon - remaining + 1) * (horizon - remaining + 2) // 2
        pulls, wins = triangle(horizon - remaining)
        mean = ((1 + wins) / (2 + pulls)).unsqueeze(1)
        after = pulls * (pulls + 3) // 2 + 1 + wins  # (s, f + 1), and (s + 1, f) right behind it
        stay = mean - rates + torch.lerp(gain[after], gain[after + 1], mean)
        tables.append(crossing(stay, rates))
        first[remaining] = first[remaining - 1] + (tables[-2].numel() if remaining > 1 else 0)
        gain = stay.clamp(min=0.0)
        assert len(gain) == states
    return first, torch.cat(tables)


def triangle(most: int) -> tuple[Tensor, Tensor]:
    """Pulls and wins of every state with at most so many pulls, in the order of its flat index."""
    pulls = torch.arange(most + 1).repeat_interleave(torch.arange(1, most + 2))
    return pulls, torch.arange(len(pulls)) - pulls * (pulls + 1) // 2


def crossing(stay: Tensor, rates: Tensor) -> Tensor:
    """Where a decreasing row crosses zero, by linear interpolation."""
    above = (stay > 0).sum(1).clamp(1, len(rates) - 1)  # the first grid point at or below zero
    low, high = (stay.gather(1, i.unsqueeze(1)).squeeze(1) for i in (above, above - 1))
    share = high / (high - low)
    return rates[above - 1] + share.clamp(0, 1) * (rates[above] - rates[above - 1])
