"""GCL: its importance weights and its partition function by hand."""

import math

import pytest
import torch
from discriminator_batches import SPEC, Constant, batch
from torch import Tensor, nn

from metairl.rewards.adversarial import gcl


class Never(nn.Module):
    """A cloned expert under which no action is likely, so that the policy's density alone counts."""

    def forward(self, z: Tensor) -> "Never":
        return self

    def log_prob(self, action: Tensor) -> Tensor:
        return torch.full(action.shape[:-1], -100.0)


def test_samples_weigh_by_the_inverse_of_their_density() -> None:
    """Two trials of equal reward, one three times as likely: weights of 1/4 and 3/4."""
    model = gcl.GCL(SPEC, 2, gcl.Config(decay=0.0))
    model.r, model.cloned = Constant(0.0, 0.0), Never()
    likely, rare = batch(1, log_prob=math.log(0.75)), batch(1, log_prob=math.log(0.25))
    size = model.diagnostics(likely, rare)["effective_sample_size"]
    assert size.item() == pytest.approx(1 / (0.25**2 + 0.75**2), rel=1e-4)


def test_the_partition_function_by_hand() -> None:
    """Three steps of reward 0.5 and one absorbing step of 2; densities exp(−1.5) / 2, of two samples."""
    model = gcl.GCL(SPEC, 2, gcl.Config(decay=0.0))
    model.r, model.cloned = Constant(0.5, 2.0), Never()
    losses = model.losses(batch(terminated=True), batch(terminated=True))
    assert losses["expert_reward"].item() == pytest.approx(-3.5)
    assert losses["log_partition"].item() == pytest.approx(3.5 + 1.5 + math.log(2), rel=1e-5)


def test_sums_divided_by_the_horizon() -> None:
    model = gcl.GCL(SPEC, 2, gcl.Config(decay=0.0, whole_sums=False))
    model.r, model.cloned = Constant(0.5, 2.0), Never()
    losses = model.losses(batch(terminated=True), batch(terminated=True))
    assert losses["expert_reward"].item() == pytest.approx(-3.5 / 4)


def test_the_reward_decay_by_hand() -> None:
    """0.1 times 0.5² of the policy's steps and 2² of the absorbing state."""
    model = gcl.GCL(SPEC, 2, gcl.Config(decay=0.1))
    model.r, model.cloned = Constant(0.5, 2.0), Never()
    assert model.losses(batch(), batch())["reward_decay"].item() == pytest.approx(0.1 * (0.25 + 4))
