"""CQL: its integral over actions, its gap and its weight, by hand."""

from dataclasses import replace
from math import log, sinh

import pytest
import torch
from transitions import LINE, SPEC, chance, moves

from metairl.agents.offline import cql
from metairl.agents.rl import sac


@pytest.mark.parametrize("slope", [0.0, 1.5])
def test_cql_integrates_over_every_action(slope: float) -> None:
    """Q(z, a) = c a on [−1, 1]: ∫ exp Q da = 2 sinh(c) / c, found by importance sampling."""
    learner = cql.CQL(LINE, 3, cql.Config(actions=4000, hidden=()))
    learner.critic.weights[0].data.zero_()
    learner.critic.weights[0].data[:, 3] = slope
    m = moves(LINE)
    policies = learner.policy(m.z), learner.policy(m.next_z)
    both = learner._log_integral(m, policies, chance()).item()  # of two equal critics
    exact = log(2 * sinh(slope) / slope) if slope else log(2)
    assert both / 2 - log(3 * 4000) == pytest.approx(exact, abs=0.01)


def test_cql_pushes_down_what_is_drawn_and_up_what_was_done() -> None:
    learner = cql.CQL(LINE, 3, cql.Config(weight=1.0, hidden=()))
    m = replace(moves(LINE), action=torch.ones(4, 8, 1))
    learner.losses(m, chance())["gap"].backward()
    slope = learner.critic.weights[0].grad
    assert slope is not None
    assert (slope[:, 3] < 0).all()  # a step down the gradient makes Q rise towards a = 1
    assert learner.policy.net[-1].weight.grad is None


def test_cql_without_weight_is_sac_bit_for_bit() -> None:
    torch.manual_seed(3)
    plain = sac.SAC(SPEC, 3, sac.Config(hidden=(8,)))
    torch.manual_seed(3)
    cautious = cql.CQL(SPEC, 3, cql.Config(weight=0.0, soft=True, hidden=(8,)))
    rng, same = chance(), chance()
    for _ in range(3):
        one, other = plain.losses(moves(), rng), cautious.losses(moves(), same)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_cqls_weight_rises_while_the_gap_is_wider_than_asked() -> None:
    for gap, sign in ((-100.0, -1), (100.0, 1)):
        learner = cql.CQL(SPEC, 3, cql.Config(gap=gap, hidden=(8,)))
        learner.losses(moves(), chance())["weight"].backward()
        assert learner.log_weight is not None and learner.log_weight.grad is not None
        assert torch.sign(learner.log_weight.grad) == sign
