"""CQL for discrete actions by hand."""

from dataclasses import replace
from math import e, log

import pytest
import torch
from transitions import SPEC, chance, constant, moves

from metairl.agents.offline import cql_discrete


def test_cql_gap_by_hand() -> None:
    """Q(z, ·) = (1, 2, 0) and the first was done: log(e + e² + 1) − 1."""
    spec = replace(SPEC, actions=3, discrete=True)
    learner = cql_discrete.DiscreteCQL(spec, 3, cql_discrete.Config(weight=2.0, hidden=()))
    constant(learner.critic, 0.0)
    learner.critic[-1].bias.data.copy_(torch.tensor([1.0, 2.0, 0.0]))
    first = torch.tensor([1.0, 0.0, 0.0]).expand(4, 8, 3)
    gap = learner.losses(replace(moves(), action=first), chance())["gap"]
    assert gap.item() == pytest.approx(2 * (log(e + e**2 + 1) - 1), rel=1e-6)


def test_the_critic_loss_by_hand() -> None:
    """Q(z, ·) = (1, 2, 0), so the second action is best; Q̄ = (5, 3, 4): y = 2 + 0.9 · 3, (1 − y)² / 2."""
    spec = replace(SPEC, actions=3, discrete=True)
    learner = cql_discrete.DiscreteCQL(spec, 3, cql_discrete.Config(gamma=0.9, hidden=()))
    for network, q in ((learner.critic, [1.0, 2.0, 0.0]), (learner.target, [5.0, 3.0, 4.0])):
        constant(network, 0.0)
        network[-1].bias.data.copy_(torch.tensor(q))
    first = torch.tensor([1.0, 0.0, 0.0]).expand(4, 8, 3)
    m = replace(moves(), action=first, reward=torch.full((4, 8), 2.0))
    assert learner.losses(m, chance())["critic"].item() == pytest.approx((1 - 4.7) ** 2 / 2, rel=1e-5)
