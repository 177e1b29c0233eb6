"""SAC's equations on networks whose outputs are known."""

from dataclasses import replace
from math import log, pi

import pytest
import torch
from torch import Tensor

from metairl.agents.rl.sac import SAC, Config
from metairl.core.networks import Ensemble
from metairl.core.rng import stream
from metairl.core.types import EncodedTransitions, Spec

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=3, episodes=1, params=2, skills=(0, 1))


def constant(critic: Ensemble, *says: float) -> None:
    """Member i always says its number."""
    for weight, bias in zip(critic.weights, critic.biases, strict=True):
        weight.data.zero_()
        bias.data.zero_()
    critic.biases[-1].data[:, 0, 0] = torch.tensor(says)


def learner(**settings: object) -> SAC:
    torch.manual_seed(0)
    sac = SAC(SPEC, 2, Config(hidden=(4,), **settings))
    constant(sac.critic, 1.0, 2.0)
    constant(sac.target, 3.0, 5.0)
    return sac


def moves(follows: Tensor, reward: float = 0.5) -> EncodedTransitions:
    z = torch.randn(*follows.shape, 2, generator=stream("z"))
    return EncodedTransitions(
        z=z,
        action=torch.zeros(*follows.shape, 1),
        reward=torch.full(follows.shape, reward),
        next_z=z,
        continues=follows,
        mask=torch.ones(follows.shape),
        family=torch.arange(len(follows)),
        is_demo=torch.zeros(follows.shape),
    )


def test_the_critic_loss_by_hand() -> None:
    """y = 2 · 0.5 + 0.9 · 3 = 3.7 where something follows, 1 where the MDP ended; Q is 1 and 2."""
    sac = learner(gamma=0.9, reward=2.0, alpha=1e-12)
    loss = sac.losses(moves(torch.tensor([[1.0]])), stream("a"))["critic"]
    torch.testing.assert_close(loss, torch.tensor((2.7**2 + 1.7**2) / 2))
    loss = sac.losses(moves(torch.tensor([[0.0]])), stream("a"))["critic"]
    torch.testing.assert_close(loss, torch.tensor((0.0**2 + 1.0**2) / 2))


def test_the_policy_and_temperature_losses_by_hand() -> None:
    """The head's last layer at zero: u ~ N(0, 1), so log π is known from the draw."""
    sac = learner(alpha=0.5)
    for weight in sac.policy.parameters():
        weight.data.zero_()
    found = sac.losses(moves(torch.tensor([[0.0]])), stream("a"))
    rng = stream("a")
    torch.randn(1, 1, 1, generator=rng)  # for the target
    u = torch.randn(1, 1, 1, generator=rng).item()
    squashed = torch.tensor(u).tanh().item()
    log_prob = -(u**2) / 2 - log(2 * pi) / 2 - log(1 - squashed**2)
    assert found["policy"].item() == pytest.approx(0.5 * log_prob - 1.0, rel=1e-4)
    assert found["temperature"].item() == pytest.approx(-log(0.5) * (log_prob - 1.0), rel=1e-4)


def test_every_family_has_its_own_temperature_where_asked() -> None:
    sac = learner(per_family=True)
    assert sac.log_alpha.shape == (2,)
    m = moves(torch.tensor([[1.0], [1.0]]))
    sac.log_alpha.data = torch.tensor([0.0, 3.0])
    loss = sac.losses(m, stream("a"))["temperature"]
    gradient = torch.autograd.grad(loss, sac.log_alpha)[0]
    assert (gradient != 0).all()
    assert learner().log_alpha.shape == (1,)


def test_the_policy_moves_no_critic() -> None:
    sac = learner()
    loss = sac.losses(moves(torch.tensor([[1.0]])), stream("a"))["policy"]
    assert all(g is None for g in torch.autograd.grad(loss, list(sac.critic.parameters()), allow_unused=True))


def test_each_family_s_policy_loss_has_its_own_temperature() -> None:
    """α = 1 and e⁻⁴⁰ for the same draws: α log π − 1, so the second family's loss is −Q alone."""
    sac = learner(per_family=True)
    for weight in sac.policy.parameters():
        weight.data.zero_()
    sac.log_alpha.data = torch.tensor([0.0, -40.0])
    alone = {}
    for family in (0, 1):
        one = replace(moves(torch.tensor([[0.0]])), family=torch.tensor([family]))
        alone[family] = sac.losses(one, stream("a"))["policy"].item()
    rng = stream("a")
    torch.randn(1, 1, 1, generator=rng)  # for the target
    u = torch.randn(1, 1, 1, generator=rng).item()
    log_prob = -(u**2) / 2 - log(2 * pi) / 2 - log(1 - torch.tensor(u).tanh().item() ** 2)
    assert alone[0] == pytest.approx(log_prob - 1.0, rel=1e-4)
    assert alone[1] == pytest.approx(-1.0)


def test_each_family_s_target_counts_its_own_entropy() -> None:
    """y = 0.5 + 0.9 (3 − α log π): the families' critic losses differ by α alone."""
    sac = learner(per_family=True, gamma=0.9)
    for weight in sac.policy.parameters():
        weight.data.zero_()
    sac.log_alpha.data = torch.tensor([0.0, -40.0])
    one = replace(moves(torch.tensor([[1.0]])), family=torch.tensor([1]))
    y = 0.5 + 0.9 * 3
    by_hand = ((1 - y) ** 2 + (2 - y) ** 2) / 2
    assert sac.losses(one, stream("a"))["critic"].item() == pytest.approx(by_hand)
    other = replace(one, family=torch.tensor([0]))
    assert sac.losses(other, stream("a"))["critic"].item() != pytest.approx(by_hand, rel=1e-3)


def test_the_policy_s_loss_does_not_train_the_encoder() -> None:
    sac = learner()
    z = torch.randn(1, 1, 2, requires_grad=True)
    losses = sac.losses(replace(moves(torch.tensor([[1.0]])), z=z), stream("a"))
    losses["policy"].backward(retain_graph=True)
    assert z.grad is None
