"""Networks: densities of squashed Gaussians, ensembles, target networks."""

import pytest
import torch

from metairl.core.networks import Ensemble, SquashedGaussian, frozen_copy, polyak_update
from metairl.core.rng import stream


def test_density_of_what_others_chose() -> None:
    """The same as that of one's own draw, wherever it falls."""
    pi = SquashedGaussian(torch.tensor([[0.3, -0.2]]), torch.tensor([[-0.5, 0.1]]))
    action, log_prob = pi.sample_with_log_prob(torch.Generator().manual_seed(0))
    torch.testing.assert_close(pi.log_prob(action), log_prob)
    assert pi.log_prob(torch.ones(1, 2)).isfinite().all()


def test_the_target_follows_at_its_rate() -> None:
    fast = Ensemble(2, 3, 4)
    slow = frozen_copy(fast)
    before = [weight.clone() for weight in slow.parameters()]
    for weight in fast.parameters():
        weight.data += 1.0
    polyak_update(slow, fast, 0.25)
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
    pi_ = SquashedGaussian(torch.tensor([0.3]), torch.tensor([-0.5]))
    action, log_prob = SquashedGaussian(
        pi_.mean.expand(20_000, 1), pi_.log_std.expand(20_000, 1)
    ).sample_with_log_prob(stream("u"))
    assert action.abs().max() < 1
    inverse = (-log_prob).exp().mean().item()  # E[1 / π(a)] is the length of the interval
    assert inverse == pytest.approx(2.0, rel=0.1)
