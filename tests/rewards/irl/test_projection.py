"""Apprenticeship learning by projection, by hand."""

import pytest
import torch
from two_rooms import SPEC, crossing, two_rooms

from metairl.agents.exact.planning import visits
from metairl.core.types import Demonstrations, Spec
from metairl.rewards.irl import max_margin, projection


def test_projection_by_hand() -> None:
    """The first policy found already has the expert's features: μ̄ is then μ_E, and the margin 0."""
    solution = projection.Projection(SPEC, projection.Config()).fit(two_rooms(), crossing())
    margins = [row["margin"].item() for row in solution.rounds]
    assert margins[0] == pytest.approx((2 * (1.5 / 4) ** 2) ** 0.5)
    assert margins[1] == pytest.approx(0, abs=1e-12) and len(margins) == 2
    visited = visits(two_rooms(), solution.policy)
    torch.testing.assert_close(visited, torch.tensor([[1.0, 3.0]], dtype=torch.float64), atol=1e-3, rtol=0)


def test_the_mixture_has_the_state_visitation_of_two_different_demonstrations() -> None:
    """One demonstration stays, one crosses: the mixture visits either state as often as both together."""
    states = torch.tensor([[[0, 1, 1, 1], [0, 0, 0, 0]]])
    actions = torch.tensor([[[1, 0, 0, 0], [0, 0, 0, 0]]])
    demos = Demonstrations(states, actions)
    expected = torch.tensor([[2.5, 1.5]], dtype=torch.float64)
    of_projection = projection.Projection(SPEC, projection.Config()).fit(two_rooms(), demos)
    of_margin = max_margin.MaxMargin(
        Spec(2, 2, True, 4, 1, 0, finite_mdp="random-mdp", features=3), max_margin.Config(policy="mixture")
    ).fit(
        two_rooms(features=[[1.0, 0.0, 0.3], [0.0, 1.0, 0.1]]),
        Demonstrations(states[:, :1], actions[:, :1]),
    )
    for solution in (of_projection, of_margin):
        visited = visits(two_rooms(), solution.policy)
        assert visited.sum().item() == pytest.approx(4)
    torch.testing.assert_close(visits(two_rooms(), of_projection.policy), expected, atol=1e-3, rtol=0)
