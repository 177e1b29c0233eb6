"""Actionable models: the second term by hand, what it reaches, and what is left without it."""

from dataclasses import replace
from math import log

import pytest
import torch
from transitions import chance, constant, moves

from metairl.agents.offline import actionable_models
from metairl.agents.rl import sac
from metairl.core.losses import softmax_weighted_squares
from metairl.core.types import Spec

SPEC = Spec(obs=3, actions=2, discrete=False, horizon=5, episodes=1, params=1)


def test_what_is_sought_out_by_hand() -> None:
    """q = (0, log 3) at T = 1: p = (¼, ¾), so ¾ (log 3)² / 2. At T = ½, p = (1/10, 9/10)."""
    q = torch.tensor([[0.0, log(3)], [2.0, 2.0]])
    torch.testing.assert_close(softmax_weighted_squares(q, 1.0), torch.tensor([0.375 * log(3) ** 2, 2.0]))
    assert softmax_weighted_squares(q, 0.5)[0].item() == pytest.approx(0.45 * log(3) ** 2)


def test_the_highest_is_drawn_down_the_most_and_p_is_held() -> None:
    """∂/∂q_j = p_j q_j."""
    q = torch.tensor([0.0, log(3)], requires_grad=True)
    softmax_weighted_squares(q, 1.0).backward()
    assert q.grad is not None
    torch.testing.assert_close(q.grad, torch.tensor([0.0, 0.75 * log(3)]))


def test_losses_by_hand() -> None:
    """Q = ½ everywhere, α = 2, two critics: 2 · 2 · ½ · ½². Arriving pays 1 and ends it, else γ ½ follows."""
    learner = actionable_models.ActionableModels(
        SPEC, 3, actionable_models.Config(gamma=0.9, weight=2.0, hidden=(4,))
    )
    for network in (learner.critic, learner.target):
        constant(network, 0.5)
    still = replace(moves(), reward=torch.zeros(4, 8))
    loss = learner.losses(still, chance())
    assert loss["unseen"].item() == pytest.approx(0.5)
    assert loss["critic"].item() == pytest.approx((0.45 - 0.5) ** 2, rel=1e-4)
    there = replace(still, reward=torch.ones(4, 8), continues=torch.zeros(4, 8))
    assert learner.losses(there, chance())["critic"].item() == pytest.approx(0.25)


def test_the_second_term_reaches_the_critics_alone() -> None:
    learner = actionable_models.ActionableModels(SPEC, 3, actionable_models.Config(hidden=(4,)))
    learner.losses(moves(), chance())["unseen"].backward()
    assert all(weight.grad is not None for weight in learner.critic.parameters())
    others = [*learner.policy.parameters(), *learner.target.parameters(), learner.log_alpha]
    assert all(weight.grad is None for weight in others)


def test_without_the_second_term_it_is_sac() -> None:
    torch.manual_seed(0)
    ours = actionable_models.ActionableModels(SPEC, 3, actionable_models.Config(weight=0.0, hidden=(4,)))
    plain = sac.SAC(SPEC, 3, sac.Config(alpha=0.1, soft=False, hidden=(4,)))
    plain.load_state_dict(ours.state_dict())
    found, wanted = (learner.losses(moves(), chance()) for learner in (ours, plain))
    assert found["unseen"] == 0
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_unseen_actions_are_those_of_the_whole_box_and_of_the_policy() -> None:
    learner = actionable_models.ActionableModels(SPEC, 3, actionable_models.Config(actions=500, hidden=(4,)))
    drawn = learner._sampled_actions(moves(), learner.policy(moves().z), chance())
    assert drawn.shape == (4, 8, 1000, 2) and drawn.abs().max() <= 1
    anywhere = drawn[..., :500, :]
    assert anywhere.mean().item() == pytest.approx(0, abs=0.01)
    assert anywhere.var().item() == pytest.approx(1 / 3, abs=0.01)
