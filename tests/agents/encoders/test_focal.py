"""FOCAL: its distance metric loss by hand, and that order does not matter."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transitions import SPEC, moves

from metairl.agents.encoders.focal import Config as FocalConfig
from metairl.agents.encoders.focal import Focal
from metairl.core.types import Batch, Context


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


def test_the_mean_embedding_grows_with_the_trial_and_is_carried_on() -> None:
    """z ends with the mean of e over the transitions so far; none before the first."""
    focal = Focal(SPEC, FocalConfig(hidden=(8,), latent=2))
    m, steps = moves(), 6
    late = [torch.cat([torch.zeros_like(x[:, :1]), x[:, : steps - 1]], 1) for x in (m.action, m.reward)]
    context = Context(m.z[:, :steps], *late, torch.zeros(4, steps))
    whole = focal(context, focal.initial(4)).z[..., -2:]
    e = focal._each(focal.obs_encoder(m.z), m.action, m.reward).detach()
    assert not whole[:, 0].any()
    for t in range(1, steps):
        torch.testing.assert_close(whole[:, t], e[:, :t].mean(1))
    first = focal(context.until(2), focal.initial(4))
    rest = replace(context, **{name: x[:, 2:] for name, x in vars(context).items() if x is not None})
    torch.testing.assert_close(focal(rest, first.state).z[..., -2:], whole[:, 2:])


def test_one_task_has_no_others_to_be_far_from() -> None:
    """√(mean (1, 9) + 0.25), times the weight."""
    focal = Focal(SPEC, FocalConfig(latent=2, weight=2.0, near=0.25, far=1.0))
    loss = focal.distances(torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2))
    assert loss.item() == pytest.approx(2 * (5 + 0.25) ** 0.5)
