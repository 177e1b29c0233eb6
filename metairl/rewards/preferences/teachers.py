"""Teachers, who compare pairs of segments; and the simulated teachers of B-Pref (Lee et al. 2021, arXiv:2111.03026).

    R(σ)   = Σ_t γ^(L − 1 − t) r_t                       γ < 1: a myopic teacher
    y      = 1 with probability sigmoid((R(σ) − R(σ′)) / noise)      noise = 0: always the better one
    y      = ½ where |R(σ) − R(σ′)| < equal · std        of all R at hand
    y      ← 1 − y with probability mistake
    skipped where both R are among the lowest share `skip`

Departures: B-Pref's thresholds for ties and skips are shares of the policy's mean return, which may be
negative; here they are relative to the returns of the segments at hand.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec
from metairl.rewards.preferences.segment_pairs import Pairs


@dataclass(frozen=True)
class Answers:
    """To n queries."""

    first: Tensor  # [n], y: 1 where the first is preferred, 0 the second, ½ neither
    given: Tensor  # [n] bool, else skipped


class Teacher(Protocol):
    def answer(self, pairs: Pairs, reward: Tensor, rng: Generator) -> Answers:
        """`reward` is the true one, [n, 2, L], for simulated teachers."""
        ...


@dataclass(frozen=True)
class TeacherConfig:
    """Settings of a teacher."""


@dataclass(frozen=True)
class Config(TeacherConfig):
    gamma: float = 1.0  # discount towards the end of a segment (γ)
    noise: float = 0.0  # temperature of the answers (1 / β)
    equal: float = 0.0  # difference of returns below which segments tie, in standard deviations
    mistake: float = 0.0  # probability of the wrong answer
    skip: float = 0.0  # share of segments, those of lowest return, that are not compared with each other


class TrueReward:
    def __init__(self, config: Config, spec: Spec):
        self.config = config

    def answer(self, pairs: Pairs, reward: Tensor, rng: Generator) -> Answers:
        config = self.config
        steps_before_end = torch.arange(reward.shape[-1]).flip(0)
        returns = (reward * pairs.mask * config.gamma**steps_before_end).sum(-1)  # [n, 2]
        difference = returns[:, 0] - returns[:, 1]
        u = torch.rand(2, len(difference), generator=rng)
        first = u[0] < (difference / config.noise).sigmoid() if config.noise else difference > 0
        mistaken = u[1] < config.mistake
        tie = (difference == 0) | (difference.abs() < config.equal * returns.std(correction=0))
        skipped = (returns < returns.quantile(config.skip)).all(1)
        return Answers((first ^ mistaken).float().where(~tie, 0.5), ~skipped)


def agreement(first: Tensor, other: Tensor) -> Tensor:
    """Share of equal preferences among the pairs in which neither is a tie; 1 if there are none."""
    product = (first - 0.5) * (other - 0.5)
    decided = product != 0
    return (product[decided] > 0).float().mean() if decided.any() else torch.ones(())
