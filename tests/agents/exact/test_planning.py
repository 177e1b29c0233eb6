"""Planning on charts: identities, limits, and a dense planner beside it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metairl.agents.exact import dense_planning
from metairl.agents.exact import planning as chart_planning
from metairl.agents.exact.planning import HARD, SOFT
from metairl.core.rng import stream
from metairl.core.types import FiniteMDP
from metairl.tasks import finite_mdps

HORIZON = 7


def tasks(kind: str, lanes: int = 6) -> finite_mdps.FiniteMDPTask:
    rng = stream("chart-planning", kind)
    if kind == "random-mdp":
        probs = torch.rand(lanes, 5, 3, 5, generator=rng, dtype=torch.float64)
        rest = torch.randn(lanes, 5 * 2 + 2, generator=rng, dtype=torch.float64)
        parameters = torch.cat([(probs / probs.sum(-1, keepdim=True)).flatten(1), rest], 1)
        return finite_mdps.random_mdp(parameters, 5, 3)
    return finite_mdps.gridworld(torch.rand(lanes, 16 + 1 + 3, generator=rng, dtype=torch.float64), 16, 5)


def dense(chart: FiniteMDP) -> Tensor:
    """P [B, S, A, S]."""
    lanes, states, most = chart.successors.shape
    actions = chart.probs.shape[2]
    probs = chart.probs.expand(lanes, states, actions, most)
    index = chart.successors.unsqueeze(2).expand_as(probs)
    return torch.zeros(lanes, states, actions, states, dtype=probs.dtype).scatter_add(-1, index, probs)


@pytest.fixture(params=["gridworld", "random-mdp"])
def made(request: pytest.FixtureRequest) -> finite_mdps.FiniteMDPTask:
    return tasks(request.param)


@pytest.mark.parametrize("temperature", [HARD, SOFT, 0.3])
def test_visits_sum_to_the_horizon_and_weigh_rewards_to_the_value(
    made: finite_mdps.FiniteMDPTask, temperature: float
) -> None:
    best = chart_planning.plan(made.mdp, made.reward, HORIZON, temperature)
    torch.testing.assert_close(best.policy.sum(-1), torch.ones_like(best.value))
    visits = chart_planning.visits(made.mdp, best.policy)
    torch.testing.assert_close(visits.sum(1), torch.full((6,), float(HORIZON), dtype=torch.float64))
    torch.testing.assert_close(
        chart_planning.visits_by_step(made.mdp, best.policy).sum(2),
        torch.ones(6, HORIZON, dtype=torch.float64),
    )
    value = chart_planning.value_of(made.mdp, made.reward, best.policy)
    if temperature == HARD:
        torch.testing.assert_close(value, (best.value[:, 0] * made.mdp.start).sum(1))
    else:  # what is won beside is the entropy of what is done
        entropy = -(best.policy * best.policy.log()).sum(-1)
        there = chart_planning.visits_by_step(made.mdp, best.policy)
        soft = value + temperature * (entropy * there).sum((1, 2))
        torch.testing.assert_close(soft, (best.value[:, 0] * made.mdp.start).sum(1))


def test_it_is_the_plan_of_the_dense_planner(made: finite_mdps.FiniteMDPTask) -> None:
    actions = made.mdp.probs.shape[2]
    rewards = made.reward.unsqueeze(-1).expand(-1, -1, actions)
    q = dense_planning.action_values(dense(made.mdp), rewards, HORIZON)
    best = chart_planning.plan(made.mdp, made.reward, HORIZON, HARD)
    torch.testing.assert_close(best.value, q.amax(-1))
    torch.testing.assert_close(chart_planning.action_values(made.mdp, made.reward, best), q)


def test_softness_goes_with_the_temperature(made: finite_mdps.FiniteMDPTask) -> None:
    """On rewards without ties."""
    hard = chart_planning.plan(made.mdp, made.reward, HORIZON, HARD)
    gaps = [
        (chart_planning.plan(made.mdp, made.reward, HORIZON, t).value - hard.value).max().item()
        for t in (1.0, 0.1, 0.01, 0.001)
    ]
    assert gaps == sorted(gaps, reverse=True) and 0 <= gaps[-1] < 0.02
    soft = chart_planning.plan(made.mdp, made.reward, HORIZON, 1e-4).policy
    q = chart_planning.action_values(made.mdp, made.reward, hard)
    top = q.topk(2, -1).values
    clear = top[..., 0] - top[..., 1] > 0.01
    assert clear.any()
    torch.testing.assert_close(soft[clear], hard.policy[clear], atol=1e-6, rtol=0)


def test_a_discount_for_ever_is_that_of_a_long_episode(made: finite_mdps.FiniteMDPTask) -> None:
    ever = chart_planning.plan_forever(made.mdp, made.reward, SOFT, 0.8)
    long = chart_planning.plan(made.mdp, made.reward, 120, SOFT, 0.8)
    torch.testing.assert_close(ever.value[:, 0], long.value[:, 0], atol=1e-6, rtol=0)
    visits = chart_planning.visits_forever(made.mdp, ever.policy, 0.8)
    torch.testing.assert_close(visits.sum(1), torch.full((6,), 5.0, dtype=torch.float64))
    shorter = chart_planning.visits(made.mdp, long.policy, 0.8)
    torch.testing.assert_close(visits, shorter, atol=1e-6, rtol=0)


@pytest.mark.parametrize("threads", [1, 3])
def test_tasks_do_not_mix_however_many_are_planned_at_once(
    made: finite_mdps.FiniteMDPTask, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    together = chart_planning.plan(made.mdp, made.reward, HORIZON, SOFT)
    seen = chart_planning.visits_by_step(made.mdp, together.policy)
    monkeypatch.setattr(chart_planning, "BITE", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    alone = chart_planning.plan(made.mdp, made.reward, HORIZON, SOFT)
    torch.testing.assert_close(alone.policy, together.policy)
    torch.testing.assert_close(chart_planning.visits_by_step(made.mdp, alone.policy), seen)


def test_states_that_are_alike_need_not_be_told_so() -> None:
    made = tasks("gridworld")
    told = replace(made.mdp, probs=made.mdp.probs.expand(-1, 16, -1, -1))
    short, long = (chart_planning.plan(c, made.reward, HORIZON, SOFT) for c in (made.mdp, told))
    torch.testing.assert_close(short.policy, long.policy)
    torch.testing.assert_close(
        chart_planning.visits(made.mdp, short.policy), chart_planning.visits(told, long.policy)
    )


def test_a_corridor_by_hand() -> None:
    """Two states, stay or cross, 1 in the second: soft values of two steps are log sums of exponentials."""
    successors = torch.tensor([[[0, 1], [1, 0]]])
    probs = torch.eye(2, dtype=torch.float64).view(1, 1, 2, 2)
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    chart = FiniteMDP(successors, probs, torch.eye(2, dtype=torch.float64).unsqueeze(0), start)
    reward = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    soft = chart_planning.plan(chart, reward, 2, SOFT)
    two = torch.tensor(2.0, dtype=torch.float64).log()
    first, second = two, 1 + two  # V of the last step: r + log 2
    v0 = torch.logaddexp(first, second)
    torch.testing.assert_close(soft.value[0, 1], torch.stack([first, second]))
    torch.testing.assert_close(soft.value[0, 0], torch.stack([v0, 1 + v0]))
    crosses = torch.sigmoid(torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(soft.policy[0, 0, 0, 1], crosses)
    visits = chart_planning.visits(chart, soft.policy)
    torch.testing.assert_close(visits[0], torch.stack([2 - crosses, crosses]))


@pytest.mark.parametrize("kind", ["gridworld", "objectworld", "binaryworld", "random-mdp"])
def test_nothing_is_made_on_another_device(kind: str) -> None:
    """On torch's device of shapes without numbers, whatever meets a tensor of the CPU is an error."""
    states, actions, width = (9, 5, 9 + 1 + 2) if kind != "random-mdp" else (4, 3, 4 * 3 * 4 + 4 * 2 + 2)
    made = finite_mdps.FINITE_MDPS[kind](torch.zeros(6, width, device="meta"), states, actions)
    best = chart_planning.plan(made.mdp, made.reward, HORIZON, SOFT)
    assert best.policy.shape == (6, HORIZON, states, actions)
    assert chart_planning.visits(made.mdp, best.policy, 0.9).device.type == "meta"
    assert chart_planning.value_of(made.mdp, made.reward, best.policy).shape == (6,)
