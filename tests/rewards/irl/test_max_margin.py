"""Margins by hand, what may not be accepted, and mixtures that visit what they should."""

from typing import Literal

import numpy as np
import pytest
import torch

from metairl.agents.exact.planning import HARD, plan, value_of, visits
from metairl.core.errors import Infeasible
from metairl.core.types import Demonstrations, FiniteMDP, NoConfig, Spec
from metairl.rewards.irl import max_margin, projection, quadratic_programs, tabular_bc
from metairl.rewards.irl.mixed_policy import mixture_policy, uniform_policy

ROOM = torch.tensor([[[0, 1], [1, 0]]])  # two states: stay or cross
SPEC = Spec(2, 2, True, 4, 1, 0, chart="random-mdp", features=2)


def room(features: list[list[float]] | None = None) -> FiniteMDP:
    probs = torch.eye(2, dtype=torch.float64).view(1, 1, 2, 2)
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    seen = torch.tensor([features or [[1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    return FiniteMDP(ROOM, probs, seen, start)


def went_over() -> Demonstrations:
    """Crosses at once and stays."""
    return Demonstrations(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[1, 0, 0, 0]]]))


def test_a_margin_by_hand() -> None:
    """μ_E − μ = (0, 3): the shortest w with w · (0, 3) ≥ 1 is (0, 1/3); a price below its cost buys slack."""
    solved = quadratic_programs.max_margin_weights(
        np.array([0.0, 3.0]), np.array([[0.0, 0.0]]), np.array([1.0]), slack=100.0
    )
    assert solved is not None
    w, slack = solved
    np.testing.assert_allclose(w, [0, 1 / 3], atol=1e-6)
    assert slack == pytest.approx(0, abs=1e-6)
    cheap = quadratic_programs.max_margin_weights(
        np.array([0.0, 3.0]), np.array([[0.0, 0.0]]), np.array([1.0]), slack=0.01
    )
    assert cheap is not None
    np.testing.assert_allclose(cheap[0], [0, 0.03], atol=1e-6)  # C (μ_E − μ)
    assert cheap[1] == pytest.approx(0.91, abs=1e-6)


def test_a_mixture_by_hand() -> None:
    share = quadratic_programs.mixture_weights(
        np.array([0.25, 0.75]), np.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    )
    np.testing.assert_allclose(share, [0.25, 0.75, 0], atol=1e-4)


@pytest.mark.parametrize("config", [max_margin.Config(), max_margin.Config(distance="structured")])
def test_it_finds_the_state_that_was_sought(config: max_margin.Config) -> None:
    found = max_margin.MaxMargin(SPEC, config).fit(room(), went_over())
    assert found.reward is not None and found.reward[0, 1] > found.reward[0, 0]
    seen = visits(room(), found.policy)
    torch.testing.assert_close(seen, torch.tensor([[1.0, 3.0]], dtype=torch.float64))
    margins = [row["margin"].item() for row in found.rounds]
    assert margins == sorted(margins, reverse=True)  # every policy found can but narrow it
    # random actions are 2.5 of 4 steps in the first state: the margin is |(1 − 2.5, 3 − 1.5)| / 4
    assert margins[0] == pytest.approx((2 * (1.5 / 4) ** 2) ** 0.5, abs=1e-6)


@pytest.mark.parametrize("distance", ["plain", "structured"])
def test_weights_of_zero_are_refused(distance: Literal["plain", "structured"]) -> None:
    """Where all states have the same features no reward separates demonstrations from random actions."""
    chart = room(features=[[1.0, 1.0], [1.0, 1.0]])
    for slack in (1e-3, 1e3):
        config = max_margin.Config(slack=slack, distance=distance)
        with pytest.raises(Infeasible, match="task 0: no reward of these features"):
            max_margin.MaxMargin(SPEC, config).fit(chart, went_over())


def test_the_task_that_cannot_be_explained_is_named() -> None:
    one, other = room(), room(features=[[1.0, 1.0], [1.0, 1.0]])
    both = FiniteMDP(
        ROOM.expand(2, -1, -1),
        one.probs.expand(2, -1, -1, -1),
        torch.cat([one.features, other.features]),
        one.start.expand(2, -1),
    )
    shown = went_over()
    twice = Demonstrations(shown.states.expand(2, -1, -1), shown.actions.expand(2, -1, -1))
    with pytest.raises(Infeasible, match="task 1"):
        max_margin.MaxMargin(SPEC, max_margin.Config()).fit(both, twice)


def test_weights_that_were_found_are_never_lost_again() -> None:
    """Policies on both sides of what was shown leave no margin: only w = 0 pays, and it is not taken."""
    method = max_margin.MaxMargin(SPEC, max_margin.Config())
    search = max_margin.ConstraintGeneration(0, np.array([1.0, 0.0]), np.zeros(2))
    method._add_constraint(search, np.array([0.0, 0.0]), 1.0)
    first = search.w.copy()
    np.testing.assert_allclose(first, [1, 0], atol=1e-5)
    method._add_constraint(search, np.array([2.0, 0.0]), 1.0)
    assert search.finished
    np.testing.assert_array_equal(search.w, first)


def test_where_every_state_was_shown_the_margin_is_plain() -> None:
    """Else no policy is at any distance, and no weights are needed."""
    everywhere = Demonstrations(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[1, 0, 0, 0]]]))
    plain, structured = (
        max_margin.MaxMargin(SPEC, config).fit(room(), everywhere).reward
        for config in (max_margin.Config(), max_margin.Config(distance="structured"))
    )
    assert plain is not None and structured is not None
    torch.testing.assert_close(plain, structured)
    assert structured.abs().max() > 0.5


def test_only_who_was_away_pays_for_the_distance() -> None:
    """It stays where it begins, and random actions are 1.5 of 4 steps in the state that was never shown."""
    nothing = torch.zeros(1, 1, 4, dtype=torch.int64)
    stayed = Demonstrations(nothing, nothing)
    found = max_margin.MaxMargin(SPEC, max_margin.Config(distance="structured")).fit(room(), stayed)
    assert found.reward is not None
    # μ_E − μ = (1.5, −1.5) / 4 and D = 1.5 / 4: the shortest w is (1, −1) / 2
    torch.testing.assert_close(
        found.reward, torch.tensor([[0.5, -0.5]], dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_as_a_mixture_it_visits_what_was_shown() -> None:
    found = max_margin.MaxMargin(SPEC, max_margin.Config(policy="mixture")).fit(room(), went_over())
    seen = visits(room(), found.policy)
    torch.testing.assert_close(seen, torch.tensor([[1.0, 3.0]], dtype=torch.float64), atol=1e-2, rtol=0)


def test_a_mixture_visits_states_as_drawing_a_policy_first_does() -> None:
    chart = room()
    crossing = plan(chart, torch.tensor([[0.0, 1.0]], dtype=torch.float64), 4, HARD).policy
    policies = [uniform_policy(chart, 4), crossing]
    shares = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    seen = visits(chart, mixture_policy(chart, policies, shares))
    expected = 0.25 * visits(chart, policies[0]) + 0.75 * visits(chart, policies[1])
    torch.testing.assert_close(seen, expected)


def test_projection_by_hand() -> None:
    """From random actions, one policy is as far as one can go: μ̄ is then μ_E, and the margin 0."""
    found = projection.Projection(SPEC, projection.Config()).fit(room(), went_over())
    margins = [row["margin"].item() for row in found.rounds]
    assert margins[0] == pytest.approx((2 * (1.5 / 4) ** 2) ** 0.5)
    assert margins[1] == pytest.approx(0, abs=1e-12) and len(margins) == 2
    seen = visits(room(), found.policy)
    torch.testing.assert_close(seen, torch.tensor([[1.0, 3.0]], dtype=torch.float64), atol=1e-3, rtol=0)


def test_what_was_shown_half_the_time_is_mixed() -> None:
    """One demonstration stays, one crosses over: the mixture is as often on either side."""
    states = torch.tensor([[[0, 1, 1, 1], [0, 0, 0, 0]]])
    actions = torch.tensor([[[1, 0, 0, 0], [0, 0, 0, 0]]])
    shown = Demonstrations(states, actions)
    spread = torch.tensor([[2.5, 1.5]], dtype=torch.float64)
    for found in (
        projection.Projection(SPEC, projection.Config()).fit(room(), shown),
        max_margin.MaxMargin(
            Spec(2, 2, True, 4, 1, 0, chart="random-mdp", features=3), max_margin.Config(policy="mixture")
        ).fit(
            room(features=[[1.0, 0.0, 0.3], [0.0, 1.0, 0.1]]), Demonstrations(states[:, :1], actions[:, :1])
        ),
    ):
        seen = visits(room(), found.policy)
        assert seen.sum().item() == pytest.approx(4)
    first = projection.Projection(SPEC, projection.Config()).fit(room(), shown)
    torch.testing.assert_close(visits(room(), first.policy), spread, atol=1e-3, rtol=0)


def test_copying_counts() -> None:
    shown = Demonstrations(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[1, 0, 0, 1]]]))
    found = tabular_bc.TabularBC(SPEC, NoConfig()).fit(room(), shown)
    assert found.policy[0, 0].tolist() == [[0, 1], [1, 0]] and found.reward is None
    chart = room()
    torch.testing.assert_close(
        value_of(chart, torch.tensor([[0.0, 1.0]], dtype=torch.float64), found.policy),
        torch.tensor([3.0], dtype=torch.float64),
    )
    unseen = tabular_bc.TabularBC(SPEC, NoConfig()).fit(
        chart,
        Demonstrations(torch.zeros(1, 1, 4, dtype=torch.int64), torch.zeros(1, 1, 4, dtype=torch.int64)),
    )
    assert unseen.policy[0, 2, 1].tolist() == [0.5, 0.5]
