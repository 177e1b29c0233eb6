"""The concave functions φ of IQ-Learn by hand."""

from math import exp, log

import pytest
import torch

from metairl.agents.imitation.divergences import PHI
from metairl.core.types import Spec

SPEC = Spec(obs=2, actions=2, discrete=True, horizon=5, episodes=1, params=1)
ARM = Spec(obs=2, actions=1, discrete=False, horizon=5, episodes=1, params=1)


def test_each_phi_by_hand() -> None:
    x = torch.tensor([0.5])
    assert PHI["chi2"](x, 0.5).item() == pytest.approx(0.5 - 0.125)
    assert PHI["kl"](x, 0.5).item() == pytest.approx(-exp(-1.5))
    assert PHI["hellinger"](x, 0.5).item() == pytest.approx(1 / 3)
    assert PHI["js"](x, 0.5).item() == pytest.approx(log(2 - exp(-0.5)))


@pytest.mark.parametrize("name", PHI)
def test_each_phi_is_concave_and_has_a_slope_everywhere(name: str) -> None:
    x = torch.linspace(-5, 5, 101, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(PHI[name](x, 0.5).sum(), x)[0]
    assert slope.isfinite().all() and (slope.diff() <= 1e-9).all()
