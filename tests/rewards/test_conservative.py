"""CLARE's weights and its loss by hand."""

import pytest
import torch

from metairl.core.errors import UsageError
from metairl.rewards.clare_weights import Paid, PointwiseWeights, reward_loss

SHOWN, OTHERS = torch.tensor([0.1, 0.9]), torch.tensor([0.2, 0.3, 0.8, 1.0, 0.1, 0.4])


def test_weights_by_hand() -> None:
    """N = 8, N_E = 2, κ = 4; one demonstrated pair is unsure, five pairs are sure: β = 4/5 there, −4 here."""
    balance = PointwiseWeights.of(SHOWN, OTHERS, 0.5)
    shown, others = balance.weights(SHOWN, True), balance.weights(OTHERS, False)
    torch.testing.assert_close(shown, torch.tensor([0.8, -4.0]))
    torch.testing.assert_close(others, torch.tensor([0.8, 0.8, 0.0, 0.0, 0.8, 0.8]))
    assert float(shown.sum() + others.sum()) == pytest.approx(0, abs=1e-6)


def test_a_demonstration_that_the_model_gets_wrong_counts_for_nothing() -> None:
    """1 / N_E of L's second term and κ / N of its third are the same."""
    balance = PointwiseWeights.of(SHOWN, OTHERS, 0.5)
    assert 1 / len(SHOWN) + balance.taken / (len(SHOWN) + len(OTHERS)) == 0


def test_where_all_is_sure_nothing_is_moved() -> None:
    balance = PointwiseWeights.of(torch.tensor([0.1, 0.2]), torch.tensor([0.1, 1.0]), 0.5)
    assert not balance.weights(torch.tensor([0.1, 0.9]), True).any()


def test_logs_that_cover_too_little_are_refused() -> None:
    with pytest.raises(UsageError, match="the model is sure of no logged pair"):
        PointwiseWeights.of(torch.tensor([0.9]), torch.tensor([0.8, 1.0]), 0.5)


def test_the_constant_scheme_by_hand() -> None:
    """A step of 0.1 from r = 0: demonstrated pairs to 0.10, other logs to −0.05, the model's to −0.02."""
    r = {name: torch.zeros(1, requires_grad=True) for name in ("shown", "others", "lived")}
    paid = {name: Paid(here, torch.tensor(0.0)) for name, here in r.items()}
    reward_loss(paid, {}, 0.5, "constant", 1.0).backward()
    stepped = {name: -0.1 * value.grad.item() for name, value in r.items() if value.grad is not None}
    assert stepped == pytest.approx({"shown": 0.10, "others": -0.05, "lived": -0.02})


def test_the_loss_by_hand() -> None:
    """0.2 − 1 − (¼ · 0.5 · 1 + ¾ · 0.8 · 0.4) + mean(1, 0.16, 0.04)."""
    r = {
        name: Paid(torch.tensor([here]), torch.tensor(9.0))
        for name, here in {"shown": 1.0, "others": 0.4, "lived": 0.2}.items()
    }
    beta = {"shown": torch.tensor([0.5]), "others": torch.tensor([0.8])}
    assert reward_loss(r, beta, 0.25, "paper", 1.0).item() == pytest.approx(0.2 - 1 - 0.365 + 0.4)
    assert reward_loss(r, beta, 0.25, "equal", 1.0).item() == pytest.approx(0.2 - 1 + 0.4)


def test_rest_counts_as_often_as_values_count_it() -> None:
    """Of two pairs one ended, k = 4: (1 + 2 + 4 · 5) / (2 + 4) and (1 + 4 + 4 · 25) / 6."""
    paid = Paid(torch.tensor([1.0, 2.0]), torch.tensor(5.0), resting=0.5 * 4)
    assert paid.mean().item() == pytest.approx(23 / 6)
    assert paid.mean_square().item() == pytest.approx(105 / 6)
