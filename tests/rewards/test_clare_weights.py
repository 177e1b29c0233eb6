"""CLARE's weights and its reward loss by hand."""

import pytest
import torch

from metairl.core.errors import UsageError
from metairl.rewards.clare_weights import PointwiseWeights, RewardBatch, reward_loss

EXPERT, OTHER = torch.tensor([0.1, 0.9]), torch.tensor([0.2, 0.3, 0.8, 1.0, 0.1, 0.4])


def test_weights_by_hand() -> None:
    """N = 8, N_E = 2, κ = 4; one expert pair is uncertain, five pairs are certain: β = −4 there, 4/5 here."""
    weights = PointwiseWeights.of(EXPERT, OTHER, 0.5)
    expert, other = weights.weights(EXPERT, True), weights.weights(OTHER, False)
    torch.testing.assert_close(expert, torch.tensor([0.8, -4.0]))
    torch.testing.assert_close(other, torch.tensor([0.8, 0.8, 0.0, 0.0, 0.8, 0.8]))
    assert float(expert.sum() + other.sum()) == pytest.approx(0, abs=1e-6)


def test_an_uncertain_expert_pair_counts_for_nothing() -> None:
    """1 / N_E of the loss's second term and κ / N of its third cancel."""
    weights = PointwiseWeights.of(EXPERT, OTHER, 0.5)
    assert 1 / len(EXPERT) + weights.uncertain / (len(EXPERT) + len(OTHER)) == 0


def test_where_the_model_is_certain_of_all_expert_pairs_no_weight_is_moved() -> None:
    weights = PointwiseWeights.of(torch.tensor([0.1, 0.2]), torch.tensor([0.1, 1.0]), 0.5)
    assert not weights.weights(torch.tensor([0.1, 0.9]), True).any()


def test_a_pair_at_the_threshold_has_no_weight() -> None:
    """κ = 3, and one uncertain expert pair: 3 on the one certain pair, −3 on expert pairs above the threshold."""
    weights = PointwiseWeights.of(torch.tensor([1.0]), torch.tensor([0.5, 0.2]), 0.5)
    assert weights.weights(torch.tensor([0.2, 0.5, 0.6]), False).tolist() == [3.0, 0.0, 0.0]
    assert weights.weights(torch.tensor([0.2, 0.5, 0.6]), True).tolist() == [3.0, 0.0, -3.0]


def test_data_of_which_the_model_is_nowhere_certain_is_refused() -> None:
    with pytest.raises(UsageError, match="uncertain about every logged pair"):
        PointwiseWeights.of(torch.tensor([0.9]), torch.tensor([0.8, 1.0]), 0.5)


def test_the_constant_scheme_by_hand() -> None:
    """A step of 0.1 from r = 0: expert pairs to 0.10, other data to −0.05, the model's to −0.02."""
    r = {name: torch.zeros(1, requires_grad=True) for name in ("expert", "other", "model")}
    batches = {name: RewardBatch(reward, torch.tensor(0.0)) for name, reward in r.items()}
    reward_loss(batches, {}, 0.5, "constant", 1.0).backward()
    stepped = {name: -0.1 * value.grad.item() for name, value in r.items() if value.grad is not None}
    assert stepped == pytest.approx({"expert": 0.10, "other": -0.05, "model": -0.02})


def test_the_loss_by_hand() -> None:
    """0.2 − 1 − (¼ · 0.5 · 1 + ¾ · 0.8 · 0.4) + mean(1, 0.16, 0.04)."""
    r = {
        name: RewardBatch(torch.tensor([reward]), torch.tensor(9.0))
        for name, reward in {"expert": 1.0, "other": 0.4, "model": 0.2}.items()
    }
    beta = {"expert": torch.tensor([0.5]), "other": torch.tensor([0.8])}
    assert reward_loss(r, beta, 0.25, "paper", 1.0).item() == pytest.approx(0.2 - 1 - 0.365 + 0.4)
    assert reward_loss(r, beta, 0.25, "equal", 1.0).item() == pytest.approx(0.2 - 1 + 0.4)


def test_absorbing_steps_count_as_often_as_they_last() -> None:
    """Of two pairs one terminated, k = 4: (1 + 2 + 4 · 5) / (2 + 4) and (1 + 4 + 4 · 25) / 6."""
    batch = RewardBatch(torch.tensor([1.0, 2.0]), torch.tensor(5.0), absorbing_steps=0.5 * 4)
    assert batch.mean().item() == pytest.approx(23 / 6)
    assert batch.mean_square().item() == pytest.approx(105 / 6)


def test_the_threshold_is_relative_to_the_largest_uncertainty() -> None:
    """u₀ max u = 1: of the expert's 1.0, 1.5 and 0.2 one is above, and of all five two are below."""
    weights = PointwiseWeights.of(torch.tensor([1.0, 1.5, 0.2]), torch.tensor([2.0, 0.9]), 0.5)
    assert weights.uncertain == -5 / 3
    assert weights.certain == pytest.approx(5 / 3 * 1 / 2)
