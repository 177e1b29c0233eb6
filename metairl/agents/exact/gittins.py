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

from metairl.agents.exact.bandits import CountingRule
from metairl.core.types import Context, NoConfig, Spec

GRID = 96  # retirement rates
BLOCK = 1024  # states at once: few enough to stay in a cache


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

    With r pulls to go, horizon − r have been made, so s + f ≤ horizon − r: a triangle of states. A state
    reads the gains of states behind it alone, so one array, worked through in order, serves every r.
    """
    rates = torch.linspace(0.0, 1.0, GRID)
    pulls, wins = triangle(horizon)
    mean = ((1 + wins) / (2 + pulls)).unsqueeze(1)
    after = pulls * (pulls + 3) // 2 + 1 + wins  # (s, f + 1), and (s + 1, f) right behind it
    sizes = [(horizon - r + 1) * (horizon - r + 2) // 2 for r in range(1, horizon + 1)]
    first = torch.tensor([0, 0, *sizes[:-1]]).cumsum(0)
    index = torch.empty(sum(sizes))
    gain = torch.zeros(len(pulls), GRID)
    for remaining, states in enumerate(sizes, start=1):
        for begin in range(0, states, BLOCK):
            rows = slice(begin, min(begin + BLOCK, states))
            here, lost = mean[rows], after[rows]
            stay = here - rates + torch.lerp(gain[lost], gain[lost + 1], here)
            index[first[remaining] + begin :][: len(stay)] = crossing(stay, rates)
            torch.clamp(stay, min=0.0, out=gain[rows])
    return first, index


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
