"""Simulated teachers: preferences, ties, mistakes and skipped queries, by hand."""

import math

import pytest
import torch
from torch import tensor

from metairl.core.rng import stream
from metairl.core.types import Spec
from metairl.rewards.preferences import teachers
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import TrueReward, agreement

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=6, episodes=1, params=1)


def pairs_of(count: int, length: int = 3) -> Pairs:
    return Pairs(
        torch.randn(count, 2, length, 2),
        torch.randn(count, 2, length, 1),
        torch.ones(count, 2, length),
        torch.zeros(count, 1),
    )


def answers_to(rewards: list[list[list[float]]], **faults: float) -> teachers.Answers:
    given = tensor(rewards)
    pairs = pairs_of(*given.shape[::2])
    return TrueReward(teachers.Config(**faults), SPEC).answer(pairs, given, stream("answers"))


def test_the_true_reward_prefers_the_larger_sum_and_neither_where_they_are_equal() -> None:
    answers = answers_to([[[1.0, 2.0], [2.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    assert answers.first.tolist() == [1.0, 0.0, 0.5] and answers.given.all()


def test_a_short_sighted_teacher_counts_the_end() -> None:
    """3 then 0 beside 0 then 1: with γ = ¼ it is 0.75 beside 1."""
    rewards = [[[3.0, 0.0], [0.0, 1.0]]]
    assert answers_to(rewards).first.item() == 1.0
    assert answers_to(rewards, gamma=0.25).first.item() == 0.0


def test_what_is_nearly_as_good_is_a_tie_and_two_poor_ones_are_skipped() -> None:
    rewards = [[[1.0], [1.1]], [[0.0], [5.0]], [[-3.0], [-2.0]], [[9.0], [5.0]]]
    answers = answers_to(rewards, equal=0.1, skip=0.4)
    assert answers.first.tolist() == [0.5, 0.0, 0.0, 1.0]
    assert answers.given.tolist() == [True, True, False, True]


def test_mistakes_and_noise_have_their_chances() -> None:
    rewards = [[[1.0], [0.0]]] * 20_000
    assert answers_to(rewards, mistake=0.2).first.mean().item() == pytest.approx(0.8, abs=0.01)
    chance = 1 / (1 + math.exp(-1 / 0.5))
    assert answers_to(rewards, noise=0.5).first.mean().item() == pytest.approx(chance, abs=0.01)


def test_agreement_is_of_those_that_take_a_side() -> None:
    assert agreement(tensor([1.0, 0.0, 0.5, 1.0]), tensor([0.9, 0.6, 0.1, 0.5])).item() == 0.5
