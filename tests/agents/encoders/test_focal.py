"""FOCAL: its distance metric loss by hand, and that order does not matter."""

import pytest
import torch
from torch import Tensor
from transitions import SPEC, moves

from metairl.agents.encoders.focal import Config as FocalConfig
from metairl.agents.encoders.focal import Focal
from metairl.core.types import Batch


def evidence(order: Tensor | None = None) -> Batch:
    m = moves()
    order = torch.arange(8) if order is None else order
    flags = torch.zeros(4, 8)
    return Batch(
        m.z[:, order], m.action[:, order], m.reward[:, order], m.reward[:, order], m.next_z[:, order],
        flags, flags, m.mask, torch.zeros(4, 1), m.family, flags,
    )  # fmt: skip


def test_focal_by_hand() -> None:
    """e = (0, 2) and e′ = (1, 2): d = (1, 4; 1, 0), so near = (√1 + √0) / 2, far = (1/5 + 1/2) / 2."""
    focal = Focal(SPEC, FocalConfig(latent=1, weight=3.0, near=0.0, far=1.0))
    one, other = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [2.0]])
    assert focal.distances(one, other).item() == pytest.approx(3 * (0.5 + 0.35))


def test_focal_learns_from_distances_alone_and_in_any_order() -> None:
    focal = Focal(SPEC, FocalConfig(hidden=(8,)))
    belief, loss = focal.infer_posterior(evidence())
    assert not belief.requires_grad and loss.requires_grad
    shuffled, _ = focal.infer_posterior(evidence(torch.tensor([3, 1, 7, 5, 0, 2, 6, 4])))
    torch.testing.assert_close(belief, shuffled)
