"""Max-margin IRL: rewards and margins by hand, trivial solutions refused, the mixture of policies."""

from typing import Literal

import numpy as np
import pytest
import torch
from two_rooms import SPEC, SUCCESSORS, crossing, two_rooms

from metairl.agents.exact.planning import visits
from metairl.core.errors import Infeasible
from metairl.core.types import Demonstrations, FiniteMDP
from metairl.rewards.irl import max_margin


@pytest.mark.parametrize("config", [max_margin.Config(), max_margin.Config(distance="structured")])
def test_reward_is_highest_in_the_state_that_the_expert_seeks(config: max_margin.Config) -> None:
    solution = max_margin.MaxMargin(SPEC, config).fit(two_rooms(), crossing())
    assert solution.reward is not None and solution.reward[0, 1] > solution.reward[0, 0]
    visited = visits(two_rooms(), solution.policy)
    torch.testing.assert_close(visited, torch.tensor([[1.0, 3.0]], dtype=torch.float64))
    margins = [row["margin"].item() for row in solution.rounds]
    assert margins == sorted(margins, reverse=True)  # another constraint can only narrow the margin
    # the uniform policy spends 2.5 of 4 steps in the first state: the margin is |(1 − 2.5, 3 − 1.5)| / 4
    assert margins[0] == pytest.approx((2 * (1.5 / 4) ** 2) ** 0.5, abs=1e-6)


@pytest.mark.parametrize("distance", ["plain", "structured"])
def test_the_trivial_solution_is_refused(distance: Literal["plain", "structured"]) -> None:
    """Where all states have the same features no reward separates demonstrations from random actions."""
    mdps = two_rooms(features=[[1.0, 1.0], [1.0, 1.0]])
    for slack in (1e-3, 1e3):
        config = max_margin.Config(slack=slack, distance=distance)
        with pytest.raises(Infeasible, match="task 0: no reward of these features"):
            max_margin.MaxMargin(SPEC, config).fit(mdps, crossing())


def test_the_error_names_the_infeasible_task() -> None:
    one, other = two_rooms(), two_rooms(features=[[1.0, 1.0], [1.0, 1.0]])
    both = FiniteMDP(
        SUCCESSORS.expand(2, -1, -1),
        one.probs.expand(2, -1, -1, -1),
        torch.cat([one.features, other.features]),
        one.start.expand(2, -1),
    )
    one_task = crossing()
    demos = Demonstrations(one_task.states.expand(2, -1, -1), one_task.actions.expand(2, -1, -1))
    with pytest.raises(Infeasible, match="task 1"):
        max_margin.MaxMargin(SPEC, max_margin.Config()).fit(both, demos)


def test_previous_weights_stay_when_only_the_trivial_solution_is_left() -> None:
    """With policies on both sides of the expert only w = 0 is feasible, and it is not taken."""
    method = max_margin.MaxMargin(SPEC, max_margin.Config())
    search = max_margin.ConstraintGeneration(0, np.array([1.0, 0.0]), np.zeros(2))
    method._add_constraint(search, np.array([0.0, 0.0]), 1.0)
    first = search.w.copy()
    np.testing.assert_allclose(first, [1, 0], atol=1e-5)
    method._add_constraint(search, np.array([2.0, 0.0]), 1.0)
    assert search.finished
    np.testing.assert_array_equal(search.w, first)


def test_structured_distance_is_plain_if_demonstrations_visit_every_state() -> None:
    """Otherwise every distance would be 0, and w = 0 a solution."""
    all_states = Demonstrations(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[1, 0, 0, 0]]]))
    plain, structured = (
        max_margin.MaxMargin(SPEC, config).fit(two_rooms(), all_states).reward
        for config in (max_margin.Config(), max_margin.Config(distance="structured"))
    )
    assert plain is not None and structured is not None
    torch.testing.assert_close(plain, structured)
    assert structured.abs().max() > 0.5


def test_structured_distance_by_hand() -> None:
    """The expert stays; the uniform policy spends 1.5 of 4 steps in the state that no demonstration visits."""
    zeros = torch.zeros(1, 1, 4, dtype=torch.int64)
    staying = Demonstrations(zeros, zeros)
    solution = max_margin.MaxMargin(SPEC, max_margin.Config(distance="structured")).fit(two_rooms(), staying)
    assert solution.reward is not None
    # μ_E − μ = (1.5, −1.5) / 4 and D = 1.5 / 4: the shortest w is (1, −1) / 2
    torch.testing.assert_close(
        solution.reward, torch.tensor([[0.5, -0.5]], dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_the_mixture_has_the_expert_state_visitation() -> None:
    solution = max_margin.MaxMargin(SPEC, max_margin.Config(policy="mixture")).fit(two_rooms(), crossing())
    visited = visits(two_rooms(), solution.policy)
    torch.testing.assert_close(visited, torch.tensor([[1.0, 3.0]], dtype=torch.float64), atol=1e-2, rtol=0)
