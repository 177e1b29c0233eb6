"""The reward model by hand: likelihoods, scaling, and the recovery of known weights."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from metairl.core.rng import stream
from metairl.core.types import Spec
from metairl.rewards.preferences import reward_model, teachers
from metairl.rewards.preferences.reward_model import PreferenceReward
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import TrueReward

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=6, episodes=1, params=1)


def linear(members: int = 1, **config: object) -> PreferenceReward:
    """r = 0.5 x₁ − x₂, whatever is done."""
    model = PreferenceReward(SPEC, 2, replace(reward_model.Config(members, (), 0.0), **config))
    with torch.no_grad():
        model.r.weights[0].copy_(tensor([[0.5], [-1.0], [0.0]]).expand(members, 3, 1))
    return model


def pair() -> Tensor:
    """Two steps each: the first is worth 0.5 + 1, the second 1 − 1, [1, 2, 2, 3]."""
    return tensor([[[[1.0, 0.0, 9.0], [2.0, 0.0, 9.0]], [[2.0, 0.0, 9.0], [0.0, 1.0, 9.0]]]])


def test_a_likelihood_by_hand() -> None:
    """1.5 beside 0: the first is preferred with chance 1 / (1 + exp −1.5)."""
    model, x = linear(), pair()
    mask = torch.ones(x.shape[:-1])
    chance = 1 / (1 + math.exp(-1.5))
    assert model.probs(x, mask).item() == pytest.approx(chance)
    for label, loss in (
        (1.0, -math.log(chance)),
        (0.0, -math.log(1 - chance)),
        (0.5, -math.log(chance * (1 - chance)) / 2),
    ):
        losses = model.losses(x[None], mask[None], tensor([[label]]))
        assert losses["preference"].item() == pytest.approx(loss, rel=1e-5)


def test_squared_rewards_are_penalised() -> None:
    """0.5, 1, 1 and −1: their mean square is 3.25 / 4."""
    x = pair()
    losses = linear(decay=0.1).losses(x[None], torch.ones(1, *x.shape[:-1]), tensor([[1.0]]))
    assert losses["decay"].item() == pytest.approx(0.1 * 3.25 / 4)


def test_swapping_a_pair_flips_its_label() -> None:
    model, x = linear(), pair()
    mask = torch.ones(x.shape[:-1])
    here, swapped = (
        model.losses(y[None], mask[None], tensor([[label]]))["preference"]
        for y, label in ((x, 0.8), (x.flip(1), 0.2))
    )
    assert_close(here, swapped)
    assert_close(model.probs(x, mask), 1 - model.probs(x.flip(1), mask))
    pairs = pairs_of(4)
    flipped = replace(pairs, obs=pairs.obs.flip(1), action=pairs.action.flip(1))
    reward, teacher = torch.randn(4, 2, 3), TrueReward(teachers.Config(), SPEC)
    first = teacher.answer(pairs, reward, stream("swap")).first
    assert_close(teacher.answer(flipped, reward.flip(1), stream("swap")).first, 1 - first)


def test_a_constant_changes_nothing_at_equal_lengths_and_something_at_others() -> None:
    model, x = linear(), pair()
    mask = torch.ones(x.shape[:-1])
    shorter = mask.clone()
    shorter[0, 1, 1] = 0
    before = [model.probs(x, c).item() for c in (mask, shorter)]
    with torch.no_grad():
        model.r.biases[0] += 3.0
    assert model.probs(x, mask).item() == pytest.approx(before[0], rel=1e-5)
    assert model.probs(x, shorter).item() != pytest.approx(before[1], rel=1e-2)


def test_the_policy_reward_is_the_standardised_mean_of_the_members() -> None:
    model, x = linear(members=2), pair()
    mask = torch.ones(x.shape[:-1])
    with torch.no_grad():
        model.r.biases[0][0] += 4.0
        model.fit_outputs(x, mask)
        reward = model.policy_reward(x[0, ..., :2], x[0, ..., 2:])
    raw = tensor([[0.5, 1.0], [1.0, -1.0]]) + 2.0
    assert_close(reward, (raw - raw.mean()) / raw.std(correction=0))


def test_where_segments_end_early_the_level_stays() -> None:
    model, x = linear(), pair()
    mask = torch.ones(x.shape[:-1])
    mask[0, 1, 1] = 0
    with torch.no_grad():
        model.fit_outputs(x, mask)
        reward = model.policy_reward(x[0, ..., :2], x[0, ..., 2:])
    assert_close(reward[0], tensor([0.5, 1.0]) / tensor([0.5, 1.0, 1.0]).std(correction=0))


def test_what_is_read_is_made_even_but_for_what_never_varies() -> None:
    model, x = linear(), pair()
    mask = torch.ones(x.shape[:-1])
    mask[0, 1, 1] = 0  # (0, 1) does not count
    model.fit_inputs(x, mask)
    assert_close(model.centre, tensor([5 / 3, 0.0, 9.0]))
    assert_close(model.spread, tensor([math.sqrt(2) / 3, 1.0, 1.0]))
    there = (tensor([1.0, 2.0, 2.0]) - 5 / 3) / (math.sqrt(2) / 3)
    chance = (0.5 * (there[0] + there[1] - there[2])).sigmoid()
    assert_close(model.probs(x, mask)[0, 0], chance)


def test_members_learn_apart() -> None:
    torch.manual_seed(0)
    model = PreferenceReward(SPEC, 2, reward_model.Config(members=2, hidden=(4,)))
    x, mask = torch.randn(2, 3, 2, 4, 3), torch.ones(2, 3, 2, 4)
    whole, alone = [], []
    for first in (tensor([[1.0] * 3, [0.0] * 3]), tensor([[1.0] * 3, [1.0] * 3])):
        model.zero_grad()
        torch.stack(list(model.losses(x, mask, first).values())).sum().backward()
        whole.append(model.r.weights[0].grad[0].clone())
        alone.append(model.r.weights[0].grad[1].clone())
    assert_close(whole[0], whole[1], atol=0, rtol=0)
    assert not torch.equal(alone[0], alone[1])


def error(count: int, seed: int) -> float:
    """Angle between the weights that were found and those that answered, of so many comparisons."""
    rng, weights = stream("linear", count, seed), tensor([1.0, -0.5, 0.3])
    x = torch.randn(count, 2, 4, 3, generator=rng)
    gap = (x @ weights).sum(-1) @ tensor([1.0, -1.0])
    first = (torch.rand(count, generator=rng) < gap.sigmoid()).float()
    model = PreferenceReward(SPEC, 2, reward_model.Config(1, (), 0.0))
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = model.losses(x[None], torch.ones(1, count, 2, 4), first[None])["preference"]
        found.backward()
        return found

    optimiser.step(loss)
    found = model.r.weights[0][0, :, 0].detach()
    return float(torch.acos((found @ weights / found.norm() / weights.norm()).clamp(max=1)))


def test_known_weights_are_found_up_to_scale_and_errors_fall_as_one_over_the_root() -> None:
    """Slope of log error on log count over 16 times as many answers, 24 draws a point: −½."""
    mask = (100, 400, 1600)
    means = [sum(error(count, seed) for seed in range(24)) / 24 for count in mask]
    slope = math.log(means[-1] / means[0]) / math.log(mask[-1] / mask[0])
    assert -0.65 < slope < -0.35
    assert means[-1] < 0.06


def pairs_of(count: int, length: int = 3) -> Pairs:
    return Pairs(
        torch.randn(count, 2, length, 2),
        torch.randn(count, 2, length, 1),
        torch.ones(count, 2, length),
        torch.zeros(count, 1),
    )


def test_the_loss_is_a_mean_over_queries_and_a_sum_over_members() -> None:
    x, first = pair(), tensor([[1.0]])
    mask = torch.ones(x.shape[:-1])
    one = linear().losses(x[None], mask[None], first)["preference"]
    twice = linear().losses(x.repeat(2, 1, 1, 1)[None], mask.repeat(2, 1, 1)[None], first.repeat(1, 2))
    assert_close(twice["preference"], one)
    both = linear(members=2).losses(x.repeat(2, 1, 1, 1, 1), mask.repeat(2, 1, 1, 1), first.repeat(2, 1))
    assert_close(both["preference"], 2 * one)
