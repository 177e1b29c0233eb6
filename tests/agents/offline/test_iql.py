"""IQL, CQL, TD3+BC and FOCAL: numbers worked out by hand, and what theory says they reduce to."""

from dataclasses import replace
from math import exp

import pytest
import torch
from transitions import SPEC, chance, constant, embedded, moves

from metairl.agents.offline import bc, iql


def test_iql_by_hand() -> None:
    """Q̄ = 1, V = 0.5, so u = 0.5; τ = 0.7, β = 3, γ = 0.9; r = 2 and then the MDP ends, or not."""
    learner = iql.IQL(SPEC, 3, iql.Config(gamma=0.9, hidden=(4,)))
    constant(learner.target, 1.0)
    constant(learner.critic, 1.5)
    constant(learner.value, 0.5)
    m = replace(moves(), reward=torch.full((4, 8), 2.0))
    loss = learner.losses(m, chance())
    assert loss["value"].item() == pytest.approx(0.7 * 0.25)
    assert loss["critic"].item() == pytest.approx(2 * (2 + 0.9 * 0.5 - 1.5) ** 2)
    cloned = -learner.policy(m.z).log_prob(m.action).mean().item()
    assert loss["policy"].item() == pytest.approx(exp(1.5) * cloned, rel=1e-5)
    ended = learner.losses(replace(m, continues=torch.zeros(4, 8)), chance())
    assert ended["critic"].item() == pytest.approx(2 * (2 - 1.5) ** 2)


def test_an_advantage_weighs_no_more_than_a_hundred() -> None:
    learner = iql.IQL(SPEC, 3, iql.Config(hidden=(4,)))
    constant(learner.target, 50.0)
    constant(learner.value, 0.0)
    m = moves()
    cloned = -learner.policy(m.z).log_prob(m.action).mean().item()
    assert learner.losses(m, chance())["policy"].item() == pytest.approx(100 * cloned, rel=1e-5)


def test_the_policys_loss_of_iql_reaches_nothing_else() -> None:
    learner = iql.IQL(SPEC, 3, iql.Config(hidden=(4,)))
    learner.losses(moves(), chance())["policy"].backward()
    others = [*learner.critic.parameters(), *learner.value.parameters(), *learner.target.parameters()]
    assert all(weight.grad is None for weight in others)
    assert all(weight.grad is not None for weight in learner.policy.parameters())


def test_iql_without_a_preference_is_cloning() -> None:
    torch.manual_seed(0)
    greedy = iql.IQL(SPEC, 3, iql.Config(beta=0.0, hidden=(4,)))
    clone = bc.BC(SPEC, 3, bc.Config(hidden=(4,)))
    clone.policy.load_state_dict(greedy.policy.state_dict())
    assert torch.equal(greedy.losses(moves(), chance())["policy"], clone.losses(moves(), chance())["policy"])


def test_the_policy_s_loss_does_not_train_the_encoder() -> None:
    learner = iql.IQL(SPEC, 3, iql.Config(hidden=(4,)))
    m, z = embedded()
    losses = learner.losses(m, chance())
    losses["policy"].backward(retain_graph=True)
    assert z.grad is None
    losses["critic"].backward()
    assert z.grad is not None and z.grad.any()
