"""The soft maximum's own gradient is the one that autograd finds."""

import pytest
import torch
from torch import Tensor

from metairl.agents.offline import cql_logsumexp
from metairl.core.networks import Ensemble


@pytest.mark.parametrize("hidden", [(), (8,), (8, 5)])
def test_value_and_gradients_are_autograds(hidden: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2 × 5 states with 7 actions each, a few states at a time."""
    torch.manual_seed(0)
    critic = Ensemble(2, 4 + 3, *hidden).double()
    for bias in critic.biases:
        bias.data.normal_()
    z = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    actions, density = torch.randn(2, 5, 7, 3).double(), torch.randn(2, 5, 7).double()
    share = torch.rand(2, 5).double()
    asked = [z, *critic.parameters()]

    def plainly() -> Tensor:
        every = torch.cat([z.unsqueeze(2).expand(-1, -1, 7, -1), actions], dim=-1)
        return ((critic(every) - density).logsumexp(-1) * share).sum()

    wanted = 3 * plainly()
    for rows in (14, 1):
        monkeypatch.setattr(cql_logsumexp, "ROWS", rows)
        found = 3 * cql_logsumexp.soft_maximum(critic, z, actions, density, share)
        torch.testing.assert_close(found, wanted)
        own, plain = torch.autograd.grad(found, asked), torch.autograd.grad(plainly(), asked)
        for one, other in zip(own, plain, strict=True):
            torch.testing.assert_close(one, 3 * other)
