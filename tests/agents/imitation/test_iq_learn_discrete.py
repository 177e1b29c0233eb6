"""IQ-Learn for discrete actions by hand."""

import pytest
import torch
from torch import nn

from metairl.agents.imitation import iq_learn_discrete
from metairl.core.types import EncodedTransitions, Spec

SPEC = Spec(obs=2, actions=2, discrete=True, horizon=5, episodes=1, params=1)
ARM = Spec(obs=2, actions=1, discrete=False, horizon=5, episodes=1, params=1)


def moves(spec: Spec, shown: list[float] | None = None, continues: float = 1.0) -> EncodedTransitions:
    count = len(shown or [1.0])
    one = torch.ones(1, count)
    action = (
        torch.eye(2)[torch.zeros(1, count, dtype=torch.long)] if spec.discrete else 0.5 * one.unsqueeze(-1)
    )
    here, there = torch.eye(2)
    return EncodedTransitions(
        z=here.expand(1, count, 2),
        action=action,
        reward=torch.full((1, count), torch.nan),
        next_z=there.expand(1, count, 2),
        continues=continues * one,
        mask=one,
        family=torch.zeros(1, dtype=torch.long),
        is_demo=torch.tensor([shown or [1.0]]),
    )


def tabular(**settings: object) -> iq_learn_discrete.DiscreteIQLearn:
    """Q(s₁, ·) = 1.2, 0.5 and Q(s₂, ·) = 0.3, 0.8."""
    learner = iq_learn_discrete.DiscreteIQLearn(
        SPEC, 2, iq_learn_discrete.Config(gamma=0.9, temperature=1.0, **settings)
    )
    learner.critic = nn.Sequential(nn.Linear(2, 2, bias=False))
    learner.critic[0].weight.data = torch.tensor([[1.2, 0.3], [0.5, 0.8]])
    return learner


def test_the_offline_loss_by_hand() -> None:
    """V(s₂) = 1.274, γ V(s₂) = 1.147, δ = 0.053, V(s₁) = 1.603, loss −(1.2 − 1.603) + δ² / (4 · 0.5)."""
    learner, rng = tabular(alpha=0.5), torch.Generator()
    assert learner.value(torch.tensor([0.3, 0.8])).item() == pytest.approx(1.274, abs=5e-4)
    assert learner.value(torch.tensor([1.2, 0.5])).item() == pytest.approx(1.603, abs=5e-4)
    assert learner.reward(moves(SPEC), rng).item() == pytest.approx(0.053, abs=5e-4)
    losses = learner.losses(moves(SPEC), rng)
    assert torch.stack(list(losses.values())).sum().item() == pytest.approx(0.4046, abs=1e-4)


def test_a_step_of_one_tenth_by_hand() -> None:
    """With V held, Q(s₁, a₁) goes from 1.2 to 1.2 + 0.1 (1 − δ) = 1.295."""
    learner = tabular(alpha=0.5)
    loss = learner.losses(moves(SPEC), torch.Generator())["reward"]
    loss.backward()
    gradient = learner.critic[0].weight.grad[0, 0].item()  # through Q(s₁, a₁) alone: V(s₁) is in L_V
    assert 1.2 - 0.1 * gradient == pytest.approx(1.295, abs=1e-3)


def test_where_the_mdp_ended_nothing_follows() -> None:
    assert tabular().reward(moves(SPEC, continues=0.0), torch.Generator()).item() == pytest.approx(1.2)


def test_what_was_not_demonstrated_counts_where_it_is_said_to() -> None:
    rng, both = torch.Generator(), moves(SPEC, [1.0, 0.0])
    alone = tabular().losses(moves(SPEC), rng)
    torch.testing.assert_close(tabular().losses(both, rng), alone)
    known = tabular(everywhere=True, alpha=0.5).losses(both, rng)
    assert known["others"].item() == pytest.approx(0.053**2 / 2, abs=1e-4)
    assert torch.equal(tabular(value="all").losses(both, rng)["value"], alone["value"])
