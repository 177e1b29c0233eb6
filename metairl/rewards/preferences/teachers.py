"""Who compares two segments: a teacher is shown pairs and answers some of them.

TrueReward prefers what its task pays more for, as far as its faults let it (B-Pref, arXiv:2111.03026):

    R(σ)   = Σ_t γ^(L − 1 − t) r_t                       γ < 1: short-sighted, the end counts most
    y      = 1 with chance σ((R(σ) − R(σ′)) / noise)     noise = 0: always the better one
    y      = ½ where |R(σ) − R(σ′)| < equal · spread     as good as each other
    y      ← 1 − y with chance mistake
    skipped where both R are among the share `skip` that is lowest

Departures: both thresholds are of the sums at hand, where the paper's are shares of the mean return, which
may be negative.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec
from metairl.rewards.preferences.segment_pairs import Pairs


@dataclass(frozen=True)
class Answers:
    """To n questions."""

    first: Tensor  # [n], y: 1 where the first is preferred, 0 the second, ½ neither
    given: Tensor  # [n] bool, else skipped


class Teacher(Protocol):
    def answer(self, pairs: Pairs, paid: Tensor, rng: Generator) -> Answers:
        """`paid` is what the task paid, [n, 2, L], for whoever knows it."""
        ...


@dataclass(frozen=True)
class TeacherConfig:
    """Settings of whoever answers comparisons."""


@dataclass(frozen=True)
class Config(TeacherConfig):
    gamma: float = 1.0  # γ
    noise: float = 0.0  # 1 / β
    equal: float = 0.0  # gap between sums, in their spread, below which both are as good
    mistake: float = 0.0  # chance of the wrong answer
    skip: float = 0.0  # share of segments, the worst, two of which are not compared


class TrueReward:
    def __init__(self, config: Config, spec: Spec):
        self.config = config

    def answer(self, pairs: Pairs, paid: Tensor, rng: Generator) -> Answers:
        config = self.config
        ago = torch.arange(paid.shape[-1]).flip(0)
        sums = (paid * pairs.mask * config.gamma**ago).sum(-1)  # [n, 2]
        gap = sums[:, 0] - sums[:, 1]
        luck = torch.rand(2, len(gap), generator=rng)
        first = luck[0] < (gap / config.noise).sigmoid() if config.noise else gap > 0
        wrong = luck[1] < config.mistake
        alike = (gap == 0) | (gap.abs() < config.equal * sums.std(correction=0))
        poor = (sums < sums.quantile(config.skip)).all(1)
        return Answers((first ^ wrong).float().where(~alike, 0.5), ~poor)


def agreement(first: Tensor, other: Tensor) -> Tensor:
    """Share of answers that are on one side of ½, of those where both take one; 1 where none does."""
    sides = (first - 0.5) * (other - 0.5)
    taken = sides != 0
    return (sides[taken] > 0).float().mean() if taken.any() else torch.ones(())
