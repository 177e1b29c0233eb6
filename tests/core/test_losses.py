"""Numbers worked out by hand."""

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from metairl.core.losses import categorical_entropy, clipped_surrogate, expectile, gae, mean, standardised
from metairl.core.networks import RescaledValueHead, sample_categorical
from metairl.core.rng import stream


def test_gae_by_hand() -> None:
    # γ = 0.5, λ = 0.5, V = (1, 2, 4), r = (1, 0, 2); nothing follows the last step.
    # δ₂ = 2 − 4 = −2;  δ₁ = 0 + 0.5·4 − 2 = 0;  δ₀ = 1 + 0.5·2 − 1 = 1
    # A₂ = −2;  A₁ = 0 + 0.25·(−2) = −0.5;  A₀ = 1 + 0.25·(−0.5) = 0.875
    discount = tensor([[0.5, 0.5, 0.0]])
    advantage = gae(tensor([[1.0, 0.0, 2.0]]), tensor([[1.0, 2.0, 4.0]]), discount, lam=0.5)
    assert_close(advantage, tensor([[0.875, -0.5, -2.0]]))


def test_gae_stops_where_nothing_follows() -> None:
    discount = tensor([[0.9, 0.0, 0.9, 0.0]])
    reward, value = torch.randn(1, 4), torch.randn(1, 4)
    changed = torch.cat([reward[:, :2], reward[:, 2:] + 5.0], dim=1)
    before, after = (gae(r, value, discount, 0.95) for r in (reward, changed))
    assert_close(before[:, :2], after[:, :2])


def test_gae_with_full_trace_is_return_minus_value() -> None:
    reward, value = torch.randn(3, 6), torch.randn(3, 6)
    discount = torch.ones(3, 6)
    returns = reward.flip(1).cumsum(1).flip(1)
    assert_close(gae(reward, value, discount, lam=1.0), returns - value)


def test_clipped_surrogate_by_hand() -> None:
    # ρ = 1.5: a good action counts only 1.2 (ε = 0.2), a bad one its full 1.5.
    log_ratio = tensor([1.5, 1.5, 0.5, 0.5]).log()
    loss = clipped_surrogate(log_ratio, tensor([1.0, -1.0, 1.0, -1.0]), clip=0.2)
    assert_close(loss, tensor([-1.2, 1.5, -0.5, 0.8]))


def test_entropy_by_hand() -> None:
    assert_close(categorical_entropy(tensor([[0.5, 0.5]]).log()), tensor([0.6931472]))


def test_sampling_follows_the_probabilities() -> None:
    log_prob = tensor([0.1, 0.6, 0.3]).log().expand(20_000, 3)
    mask = sample_categorical(log_prob, stream("sampling")).bincount(minlength=3) / 20_000
    assert_close(mask, tensor([0.1, 0.6, 0.3]), atol=0.015, rtol=0)


def test_rescaled_head_follows_mean_and_spread() -> None:
    head = RescaledValueHead(torch.nn.Linear(1, 1), steps=2, rate=1.0)
    head.update_statistics(tensor([[1.0, 10.0], [3.0, 14.0]]), torch.ones(2, 2))
    # means 2 and 12; deviations ±1 and ±2, rms √2.5
    assert_close(head.mean, tensor([2.0, 12.0]))
    assert_close(head.std, tensor(2.5**0.5))


def test_steps_that_do_not_count_change_nothing() -> None:
    mask, spoilt = tensor([[1.0, 1.0], [1.0, 0.0]]), tensor([[1.0, 2.0], [3.0, 1e9]])
    assert mean(spoilt, mask) == 2.0
    assert_close(standardised(spoilt, mask)[mask == 1], tensor([-1.0, 0.0, 1.0]) * 1.5**0.5)
    head = RescaledValueHead(torch.nn.Linear(1, 1), steps=3, rate=1.0)
    head.update_statistics(spoilt, mask)  # a trial that was shorter than it may be: step 3 keeps its mean
    assert_close(head.mean, tensor([2.0, 2.0, 0.0]))
    head.update_statistics(tensor([[5.0, 5.0]]), tensor([[1.0, 0.0]]))
    assert_close(head.mean, tensor([5.0, 2.0, 0.0]))


def test_expectile_by_hand() -> None:
    u = torch.tensor([1.0, -2.0, 0.0, 0.5])
    torch.testing.assert_close(expectile(u, 0.7), torch.tensor([0.7, 1.2, 0.0, 0.175]))
    torch.testing.assert_close(expectile(u, 0.5), u.square() / 2)  # the mean, as in plain regression


@pytest.mark.parametrize("tau, value", [(0.5, 2.0), (0.8, 3.2)])
def test_the_expectile_of_two_numbers(tau: float, value: float) -> None:
    """Of 0 and 4: τ (4 − v) = (1 − τ) v, so v = 4 τ."""
    v = torch.tensor(value, requires_grad=True)
    expectile(torch.tensor([0.0, 4.0]) - v, tau).sum().backward()
    assert v.grad is not None and abs(v.grad.item()) < 1e-6
