"""Behavioural cloning by counting."""

import torch
from two_rooms import SPEC, two_rooms

from metairl.agents.exact.planning import value_of
from metairl.core.types import Demonstrations, NoConfig
from metairl.rewards.irl import tabular_bc


def test_policy_takes_the_most_frequent_action_and_is_uniform_in_unvisited_states() -> None:
    demos = Demonstrations(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[1, 0, 0, 1]]]))
    solution = tabular_bc.TabularBC(SPEC, NoConfig()).fit(two_rooms(), demos)
    assert solution.policy[0, 0].tolist() == [[0, 1], [1, 0]] and solution.reward is None
    mdps = two_rooms()
    torch.testing.assert_close(
        value_of(mdps, torch.tensor([[0.0, 1.0]], dtype=torch.float64), solution.policy),
        torch.tensor([3.0], dtype=torch.float64),
    )
    of_one_state = tabular_bc.TabularBC(SPEC, NoConfig()).fit(
        mdps,
        Demonstrations(torch.zeros(1, 1, 4, dtype=torch.int64), torch.zeros(1, 1, 4, dtype=torch.int64)),
    )
    assert of_one_state.policy[0, 2, 1].tolist() == [0.5, 0.5]
