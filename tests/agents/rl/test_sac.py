"""SAC's equations on networks whose outputs are known."""

from math import exp, log, pi

import pytest
import torch
from torch import Tensor

from metairl.agents.rl.sac import SAC, Config
from metairl.core.networks import Ensemble, Squashed, follow, frozen_copy
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
    with torch.no_grad():
        sac.log_alpha[1] = -20.0  # the second family's policy loss is then −Q alone
    assert learner().log_alpha.shape == (1,)


def test_the_policy_moves_no_critic() -> None:
    sac = learner()
    loss = sac.losses(moves(torch.tensor([[1.0]])), stream("a"))["policy"]
    assert all(g is None for g in torch.autograd.grad(loss, list(sac.critic.parameters()), allow_unused=True))


def test_the_target_follows_at_its_rate() -> None:
    fast = Ensemble(2, 3, 4)
    slow = frozen_copy(fast)
    before = [weight.clone() for weight in slow.parameters()]
    for weight in fast.parameters():
        weight.data += 1.0
    follow(slow, fast, 0.25)
    for weight, was in zip(slow.parameters(), before, strict=True):
        torch.testing.assert_close(weight, was + 0.25)
        assert not weight.requires_grad


def test_members_are_networks_of_their_own() -> None:
    torch.manual_seed(0)
    both = Ensemble(2, 3, 8)
    x = torch.randn(5, 4, 3)
    said = both(x)
    assert said.shape == (2, 5, 4)
    for member in range(2):
        h = (x @ both.weights[0][member] + both.biases[0][member]).relu()
        alone = (h @ both.weights[1][member] + both.biases[1][member]).squeeze(-1)
        torch.testing.assert_close(said[member], alone)


def test_a_squashed_draw_has_the_density_it_says() -> None:
    """∫ π(a) da = 1 over (−1, 1), from log-probabilities of a grid of draws."""
    pi_ = Squashed(torch.tensor([0.3]), torch.tensor([-0.5]))
    action, log_prob = Squashed(pi_.mean.expand(20_000, 1), pi_.log_std.expand(20_000, 1)).draw(stream("u"))
    assert action.abs().max() < 1
    inverse = (-log_prob).exp().mean().item()  # E[1 / π(a)] is the length of the interval
    assert inverse == pytest.approx(2.0, rel=0.1)
    assert exp(pi_.log_std.item()) < 1
