"""Planning against numbers worked by hand, and against every policy there is."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from metairl.agents.exact.dense_planning import (
    action_values,
    best_expected,
    expected,
    optimistic_value_iteration,
    value_iteration,
)
from metairl.core.rng import stream


def random_mdps(lanes: int, states: int, actions: int, name: str) -> tuple[Tensor, Tensor]:
    rng = stream("test-planning", name)
    weights = torch.empty(lanes, states, actions, states).exponential_(generator=rng)
    return weights / weights.sum(-1, keepdim=True), torch.randn(lanes, states, actions, generator=rng)


def value_of(policy: Tensor, transitions: Tensor, rewards: Tensor) -> Tensor:
    """V_0 [B, S] of the policy [H, S], the same in every lane, by following it backwards."""
    value = torch.zeros_like(rewards[..., 0])
    states = torch.arange(value.shape[1])
    for action in policy.flip(0):
        value = rewards[:, states, action] + (transitions[:, states, action] * value[:, None]).sum(-1)
    return value


def test_value_iteration_by_hand() -> None:
    # State 0: action 0 earns 0 and leads to 1; action 1 earns 1 and stays.
    # State 1: action 0 earns 3 and stays or leads to 0, evenly; action 1 earns 0 and leads to 0.
    #         Q(0, 0)     Q(0, 1)     Q(1, 0)             Q(1, 1)
    # h = 2   0           1           3                   0              V = 1, 3
    # h = 1   0 + 3       1 + 1       3 + (1 + 3) / 2     0 + 1          V = 3, 5
    # h = 0   0 + 5       1 + 3       3 + (3 + 5) / 2     0 + 3          V = 5, 7
    transitions = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]]]])
    rewards = torch.tensor([[[0.0, 1.0], [3.0, 0.0]]])
    action, value = value_iteration(transitions, rewards, 3)
    assert_close(value, torch.tensor([[[5.0, 7.0], [3.0, 5.0], [1.0, 3.0]]]))
    assert action.tolist() == [[[0, 0], [0, 0], [1, 0]]]  # in state 0 it pays to move, until the last step
    q = action_values(transitions, rewards, 3)
    assert_close(q[0, 0], torch.tensor([[5.0, 4.0], [7.0, 3.0]]))


def test_no_policy_is_worth_more_and_the_plan_is_worth_its_value() -> None:
    transitions, rewards = random_mdps(5, 3, 2, "brute force")
    plan, value = value_iteration(transitions, rewards, 2)
    every = [
        value_of(torch.tensor(choice).view(2, 3), transitions, rewards)
        for choice in product((0, 1), repeat=6)
    ]
    assert_close(value[:, 0], torch.stack(every).amax(0))
    for lane in range(5):
        own = value_of(plan[lane], transitions, rewards)[lane]
        assert_close(own, value[lane, 0])


@pytest.mark.parametrize(
    "radius, best",
    [
        (0.0, 0.9),  # 0.5 · 1 + 0.3 · 0 + 0.2 · 2
        (0.4, 1.3),  # 0.2 moves from the state worth 0 to the state worth 2
        (1.0, 1.7),  # 0.5 moves: all 0.3 of the state worth 0, then 0.2 of the state worth 1
        (2.0, 2.0),  # everything moves
        (9.0, 2.0),  # and no more than everything
    ],
)
def test_the_best_plausible_transition_by_hand(radius: float, best: float) -> None:
    p, value = torch.tensor([[[[0.5, 0.3, 0.2]]]]), torch.tensor([[1.0, 0.0, 2.0]])
    assert_close(best_expected(p, torch.tensor([[[radius]]]), value), torch.tensor([[[best]]]))


def test_no_transition_within_the_radius_is_better() -> None:
    transitions, rewards = random_mdps(4, 4, 2, "ball")
    value = rewards.mean(-1)
    for index in range(50):
        other = random_mdps(4, 4, 2, f"other {index}")[0]
        mix = 0.5 * transitions + 0.5 * other if index % 2 else other
        radius = (mix - transitions).abs().sum(-1)
        assert (best_expected(transitions, radius, value) >= expected(mix, value) - 1e-5).all()


def test_optimism_without_doubt_is_planning_and_with_every_doubt_bounds_every_world() -> None:
    guess, rewards = random_mdps(6, 4, 3, "guess")
    truth, _ = random_mdps(6, 4, 3, "truth")
    doubt = torch.full_like(rewards, 2.0)  # no two distributions are further apart
    sure = optimistic_value_iteration(guess, 0 * doubt, rewards, 5)[1]
    assert_close(sure, value_iteration(guess, rewards, 5)[1])
    assert (
        optimistic_value_iteration(guess, doubt, rewards, 5)[1] >= value_iteration(truth, rewards, 5)[1]
    ).all()
