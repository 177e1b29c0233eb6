"""Rewards of imitators as tables: what is told of them by advantages does not depend on V's potential."""

import pytest
import torch
from torch import Tensor

from metairl.agents.exact.planning import HARD, SOFT, expected_after, plan, plan_forever, value_of
from metairl.core.rng import stream
from metairl.core.types import EncodedTransitions, FiniteMDP
from metairl.envs import make
from metairl.evaluation import reward_metrics
from metairl.evaluation.protocol import StepCounts
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request
from metairl.rewards.recovered import PolicyWithReward, RewardTable
from metairl.tasks import catalogue, sampling

GAMMA = 0.9
TASK = "random-mdp:data=expert,demos=1"
TRUE = torch.tensor([[0.5, 0.0, -0.5, 0.0, 1.0]], dtype=torch.float64)


def chain() -> FiniteMDP:
    """Five states; left and right, which slip into each other one time in ten."""
    state = torch.arange(5)
    successors = torch.stack([(state - 1).clamp(min=0), (state + 1).clamp(max=4)], dim=1)
    probs = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
    start = torch.full((1, 5), 0.2, dtype=torch.float64)
    return FiniteMDP(successors[None], probs[None, None], torch.eye(5)[None].double(), start)


def exact(potential: Tensor | float = 0.0) -> RewardTable:
    """Of the soft-optimal policy and its V, to which a potential [B, S] is added: π is the same."""
    chart = chain()
    value = plan_forever(chart, TRUE, SOFT, GAMMA, tolerance=1e-12).value[:, 0]
    q = TRUE.unsqueeze(-1) + GAMMA * expected_after(chart, value)
    other = value + potential
    return RewardTable(q + (other - value).unsqueeze(-1), other, GAMMA)


def shaped() -> RewardTable:
    return exact(torch.tensor([[3.0, -1.0, 2.0, 0.0, -2.0]], dtype=torch.float64))


def test_exact_values_give_the_true_reward_back() -> None:
    paid = exact().expected(chain())
    torch.testing.assert_close(paid, TRUE.unsqueeze(-1).expand_as(paid))


def test_a_potential_moves_the_correlation_and_no_advantage() -> None:
    chart, paid = chain(), shaped().expected(chain())
    assert reward_metrics.correlation(paid.mean(-1), TRUE).item() < 0.5
    assert reward_metrics.starc(chart, paid, TRUE, GAMMA).item() < 1e-6
    other = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert reward_metrics.starc(chart, paid, other, GAMMA).item() > 0.3


def test_a_potential_moves_no_plan_without_end() -> None:
    chart, long = chain(), 400
    best, own = (plan(chart, r, long, HARD, GAMMA).policy[:, :1] for r in (TRUE, shaped().expected(chart)))
    assert torch.equal(best, own)


def test_a_potential_moves_the_plan_of_an_episode() -> None:
    """Twenty steps, undiscounted, as rewards are judged: what the last state is worth stays in the sum."""
    chart = chain()
    best, own = (plan(chart, r, 20, HARD).policy for r in (TRUE, shaped().expected(chart)))
    assert (value_of(chart, TRUE, best) - value_of(chart, TRUE, own)).item() > 0.01


def test_advantages_of_acting_at_random_by_hand() -> None:
    """Stay or switch between rewards 0 and 1, γ = ½: V = ½ and 1½, and going to the second is ¼ better."""
    successors = torch.tensor([[[0, 1], [1, 0]]])
    probs = torch.eye(2, dtype=torch.float64)[None, None]
    chart = FiniteMDP(successors, probs, torch.eye(2)[None], torch.full((1, 2), 0.5, dtype=torch.float64))
    reward = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]], dtype=torch.float64)
    better = torch.tensor([[[-0.25, 0.25], [0.25, -0.25]]], dtype=torch.float64)
    torch.testing.assert_close(reward_metrics.levelled(chart, reward, 0.5), better)


def test_epic_of_every_triple_takes_v_away_and_is_not_0_though_the_reward_is_explained() -> None:
    true = TRUE[:, :, None, None].expand(1, 5, 2, 5)
    far, same = (reward_metrics.epic(r.triples(0), true, GAMMA).item() for r in (exact(), shaped()))
    assert far == pytest.approx(same) and far > 0.3


def test_blown_elsewhere_the_best_for_it_is_the_old_policy() -> None:
    """E[r + γ V(s′)] = Q wherever steps lead, so that this reward says nothing new of another world."""
    chart, blown = chain(), reward_metrics.windy(chain())
    old = plan_forever(chart, TRUE, SOFT, GAMMA, tolerance=1e-12)
    best = plan_forever(blown, TRUE, SOFT, GAMMA, tolerance=1e-12)
    table = exact()
    q = table.expected(blown) + GAMMA * expected_after(blown, old.value[:, 0])
    torch.testing.assert_close(q.logsumexp(-1), old.value[:, 0])
    torch.testing.assert_close(q.softmax(-1), old.policy[:, 0])
    assert (best.policy - old.policy).abs().max() > 0.05


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("method", ["pi-v", "iq-learn-discrete", "airl"])
@pytest.mark.parametrize(
    ("encoder", "told"), [("none", True), ("oracle", True), ("rl2", False), ("pearl", False)]
)
def test_recovered_rewards_are_judged_where_they_are_of_states(method: str, encoder: str, told: bool) -> None:
    """By what was lived, or inferred from demonstrations, they are of more than a table has rows for."""
    asked = make_request(method, TASK, encoder)
    judged = judge(asked, build(asked)[0], "validation", StepCounts())[0]
    assert judged.measures is not None
    of_reward = {"in-wind", "correlation", "epic", "starc"} if told else set()
    assert set(judged.measures) == {"value-difference"} | of_reward
    assert all(len(values) == len(judged.returns) for values in judged.measures.values())


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("method", ["bc-demos", "iql"])
def test_who_recovers_none_has_none(method: str) -> None:
    task = TASK if method == "bc-demos" else "random-mdp:data=expert"
    assert not isinstance(build(make_request(method, task))[0], PolicyWithReward)


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("method", ["pi-v", "iq-learn-discrete"])
def test_a_table_has_what_the_learner_says_of_every_triple(method: str) -> None:
    asked = make_request(method, TASK)
    policy, _ = build(asked)
    assert isinstance(policy, PolicyWithReward)
    tasks = sampling.task_set(catalogue.task(TASK), "validation").select(0)
    told = make(asked.card, tasks[:], torch.Generator()).task
    states, actions = 20, reward_metrics.truth(asked.card, tasks).mdp.probs.shape[2]
    table = policy.table(torch.eye(states).unsqueeze(0), told, actions)
    s, a, then = torch.cartesian_prod(*(torch.arange(n) for n in (states, actions, states))).unbind(1)
    one = torch.ones(1, len(s))
    z, action, after = (torch.eye(n)[x].unsqueeze(0) for n, x in ((states, s), (actions, a), (states, then)))
    moves = EncodedTransitions(z, action, one, after, one, one, torch.zeros(1, dtype=torch.long), one)
    said = policy.agent.learner.reward(moves, stream("said"))
    torch.testing.assert_close(table.triples(0), said.detach().view(1, states, actions, states))
