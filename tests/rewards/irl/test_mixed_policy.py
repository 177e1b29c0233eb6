"""A mixture of policies as one policy."""

import torch
from two_rooms import two_rooms

from metairl.agents.exact.planning import HARD, plan, visits
from metairl.rewards.irl.mixed_policy import mixture_policy, uniform_policy


def test_mixture_visits_states_as_often_as_sampling_a_policy_per_episode() -> None:
    mdps = two_rooms()
    optimal = plan(mdps, torch.tensor([[0.0, 1.0]], dtype=torch.float64), 4, HARD).policy
    policies = [uniform_policy(mdps, 4), optimal]
    weights = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    visited = visits(mdps, mixture_policy(mdps, policies, weights))
    expected = 0.25 * visits(mdps, policies[0]) + 0.75 * visits(mdps, policies[1])
    torch.testing.assert_close(visited, expected)
