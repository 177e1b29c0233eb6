"""The reward model by hand: likelihoods, scaling, and the recovery of known weights."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from metairl.core.rng import stream
from metairl.core.types import Spec
from metairl.data.replay import Replay
from metairl.rewards.preferences import reward_model, teachers
from metairl.rewards.preferences import segment_pairs as segments
from metairl.rewards.preferences.query_selection import SCORES, disagreement, select
from metairl.rewards.preferences.reward_model import PreferenceReward
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import TrueReward, agreement

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


def test_selection_takes_what_members_disagree_about() -> None:
    probs = tensor([[0.5, 0.9, 0.2], [0.5, 0.1, 0.4]])
    assert select(probs, 2, disagreement).tolist() == [1, 2]
    assert select(probs, 2, SCORES["uniform"]).tolist() == [0, 1]


def small_replay() -> Replay:
    """Two tasks with three trials of up to 6 steps, whose observations say where they are from."""
    replay = Replay(3, 6, torch.zeros(2, dtype=torch.long))
    place = torch.arange(2).view(2, 1, 1) * 100 + torch.arange(3).view(3, 1) * 10 + torch.arange(6)
    replay.data = {"obs": place.float().unsqueeze(-1), "action": torch.zeros(2, 3, 6, 1),
                   "reward": -place.float()}  # fmt: skip
    replay.tasks = tensor([[0.0], [1.0]])
    replay.num_trials = tensor([3, 2])
    replay.lengths = tensor([[6, 6, 2], [6, 6, 0]])
    return replay


def test_segments_are_of_one_task_of_two_trials_and_end_where_a_trial_does() -> None:
    replay = small_replay()
    places = segments.draw(replay, 4000, 4, stream("draw"))
    pairs = segments.cut(replay, places, 4)
    seen = pairs.obs[..., 0]
    assert ((seen // 100).flatten(1) == pairs.task).all()
    trials = seen[..., 0] // 10 % 10
    assert (trials[:, 0] != trials[:, 1]).all()
    assert set(trials[pairs.task[:, 0] == 1].flatten().tolist()) == {0.0, 1.0}
    short = trials == 2
    assert pairs.mask[short].sum(-1).unique().tolist() == [2.0]
    assert pairs.mask[~short].sum(-1).unique().tolist() == [4.0]
    first = seen[..., 0][~short] % 10
    shares = torch.bincount(first.long()) / len(first)
    assert_close(shares, torch.full((3,), 1 / 3), atol=0.03, rtol=0)  # the newest step too
    assert_close(segments.rewards(replay, places, 4)[pairs.mask > 0], -seen[pairs.mask > 0])


def test_a_single_trial_is_compared_with_itself() -> None:
    replay = small_replay()
    replay.num_trials = tensor([1, 0])
    places = segments.draw(replay, 100, 4, stream("draw"))
    assert not places.task.any() and not places.trial.any()
    assert set(places.first.flatten().tolist()) == {0, 1, 2}
