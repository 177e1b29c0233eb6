"""The Bayes optimum of a Bernoulli bandit with few pulls, by exact dynamic programming.

Arms are exchangeable, so what matters is the multiset of their (successes, failures), arms never pulled
being alike. Over those multisets M, with t pulls made and m = (1 + s) / (2 + s + f) for the arm pulled,

    V_n(M) = 0
    V_t(M) = max over kinds of arm in M of  m (1 + V_{t+1}(M, arm won)) + (1 − m) V_{t+1}(M, arm lost)

At 10 pulls there are 1,951 multisets for 5 arms and 2,296 for 10 or more; ordered counts would be 10⁸.
Its value is the most that any learner can reach on average, so no honest row of the table lies above it.
"""

from functools import lru_cache

import torch
from torch import Generator, Tensor

from metairl.agents.exact.bandits import CountingRule
from metairl.core.errors import UsageError
from metairl.core.types import Context, NoConfig, Spec

MOST_PULLS = 10  # ten digits of base 67 are what a 63-bit key holds
BASE = (MOST_PULLS + 1) * (MOST_PULLS + 2) // 2 + 1

Kind = tuple[int, int]  # (successes, failures) of an arm that was pulled
Multiset = tuple[Kind, ...]  # sorted
UNPULLED: Kind = (0, 0)


class BayesBandit(CountingRule):
    def __init__(self, spec: Spec, config: NoConfig):
        self.arms = spec.actions
        best = solve(spec.steps, spec.actions)[1]
        table = sorted((key_of(multiset), code(kind)) for multiset, kind in best.items())
        self.keys = torch.tensor([key for key, _ in table])
        self.choices = torch.tensor([choice for _, choice in table])

    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        pulls = (wins + losses).long()
        codes = pulls * (pulls + 1) // 2 + wins.long()  # [B, A]
        digits = codes.sort(1, descending=True).values[:, :MOST_PULLS]
        key = (digits * BASE ** torch.arange(digits.shape[1])).sum(1)
        choice = self.choices[torch.searchsorted(self.keys, key)]
        return (codes == choice.unsqueeze(1)).float()


def optimal_value(pulls: int, arms: int) -> float:
    """The expected total reward of optimal play."""
    return solve(pulls, arms)[0]


@lru_cache(maxsize=8)
def solve(pulls: int, arms: int) -> tuple[float, dict[Multiset, Kind]]:
    """The optimal value, and the kind of arm to pull at every multiset short of the end."""
    if pulls > MOST_PULLS:
        raise UsageError(f"the exact Bayes optimum is computed for at most {MOST_PULLS} pulls, not {pulls}")
    values: dict[Multiset, float] = {}
    best: dict[Multiset, Kind] = {}

    def value(multiset: Multiset) -> float:
        if sum(map(sum, multiset)) == pulls:
            return 0.0
        if multiset not in values:
            kinds = {*multiset} | ({UNPULLED} if len(multiset) < arms else set())
            worth = {kind: worth_of(multiset, kind) for kind in sorted(kinds)}
            best[multiset] = max(worth, key=worth.__getitem__)
            values[multiset] = worth[best[multiset]]
        return values[multiset]

    def worth_of(multiset: Multiset, kind: Kind) -> float:
        wins, losses = kind
        mean = (1 + wins) / (2 + wins + losses)
        won, lost = (replaced(multiset, kind, new) for new in ((wins + 1, losses), (wins, losses + 1)))
        return mean * (1 + value(won)) + (1 - mean) * value(lost)

    return value(()), best


def replaced(multiset: Multiset, old: Kind, new: Kind) -> Multiset:
    kinds = list(multiset)
    if old != UNPULLED:
        kinds.remove(old)
    return tuple(sorted([*kinds, new]))


def code(kind: Kind) -> int:
    """A number for (s, f): its place in the triangle of states; 0 for an arm never pulled."""
    pulls = sum(kind)
    return pulls * (pulls + 1) // 2 + kind[0]


def key_of(multiset: Multiset) -> int:
    codes = sorted(map(code, multiset), reverse=True)
    return sum(digit * BASE**place for place, digit in enumerate(codes))
