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
