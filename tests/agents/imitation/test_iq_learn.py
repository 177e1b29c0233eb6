"""IQ-Learn and (π, V) by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from metairl.agents.imitation import iq_learn
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


class Constant(nn.Module):
    def __init__(self, *values: float):
        super().__init__()
        self.values = torch.tensor(values)

    def forward(self, x: Tensor, detach_weights: bool = False) -> Tensor:
        return self.values.view(-1, *[1] * (x.dim() - 1)).expand(-1, *x.shape[:-1])


def test_continuous_actions_by_hand() -> None:
    """Q̄ = 3 and 5, Q = 1 and 2, no entropy: V̄ = 3, V = 1, r_i = Q_i − 2.7, φ(r) = r − r² / 2."""
    learner = iq_learn.IQLearn(ARM, 2, iq_learn.Config(gamma=0.9, temperature=0.0, alpha=0.5, hidden=(4,)))
    learner.critic, learner.target = Constant(1.0, 2.0), Constant(3.0, 5.0)
    losses = learner.losses(moves(ARM), torch.Generator())
    r = [1 - 2.7, 2 - 2.7]
    assert losses["reward"].item() == pytest.approx(-sum(x - x**2 / 2 for x in r), rel=1e-5)
    assert losses["value"].item() == pytest.approx(2 * (1 - 2.7), rel=1e-5)
    assert losses["policy"].item() == pytest.approx(-1.0)


def test_the_policy_s_loss_does_not_train_the_encoder() -> None:
    learner = iq_learn.IQLearn(ARM, 2, iq_learn.Config(hidden=(4,)))
    z, next_z = torch.randn(1, 3, 2, requires_grad=True), torch.randn(1, 3, 2, requires_grad=True)
    m = replace(moves(ARM, [1.0, 1.0, 0.0]), z=z, next_z=next_z)
    losses = learner.losses(m, torch.Generator())
    losses["policy"].backward(retain_graph=True)
    assert z.grad is None and next_z.grad is None
    losses["value"].backward()
    assert z.grad is not None and z.grad.any()
