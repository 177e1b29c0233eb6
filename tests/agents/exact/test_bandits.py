"""The classical bandit rows: numbers by hand, other ways to the same number, and none above the optimum."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from metairl.agents.exact import bandits as rules
from metairl.agents.exact import bayes_bandit
from metairl.core.rng import stream
from metairl.core.types import Context, NoConfig, PolicyInputs, Spec
from metairl.evaluation.protocol import StepCounts, meta_test
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.methods.registry import METHODS
from metairl.tasks import catalogue, sampling


def spec(arms: int, pulls: int) -> Spec:
    return Spec(1, arms, True, pulls, 1, arms)


def before_any_pull(lanes: int, arms: int) -> Context:
    return Context(
        torch.zeros(lanes, 1, 1), torch.zeros(lanes, 1, arms), torch.zeros(lanes, 1), torch.zeros(lanes, 1)
    )


def chosen(policy: Any, wins: list[float], losses: list[float], lanes: int = 1) -> Tensor:
    state = torch.tensor(wins).repeat(lanes, 1), torch.tensor(losses).repeat(lanes, 1)
    action: Tensor = policy.act(before_any_pull(lanes, len(wins)), state, stream("chosen"))[0]
    return action


def test_counts_follow_what_was_pulled() -> None:
    pulled = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]])
    context = Context(torch.zeros(2, 1, 1), pulled, torch.tensor([[1.0], [0.0]]), torch.zeros(2, 1))
    wins, losses = rules.counted(context, (torch.tensor([[2.0, 3.0]] * 2), torch.tensor([[1.0, 0.0]] * 2)))
    assert wins.tolist() == [[2.0, 4.0], [2.0, 3.0]]
    assert losses.tolist() == [[1.0, 0.0], [2.0, 0.0]]


def test_posterior_mean_and_greedy_by_hand() -> None:
    # Beta(1, 1) and 0 of 0, 3 of 4, 0 of 2: 1/2, 4/6, 1/4.
    mean = rules.posterior_mean(torch.tensor([0.0, 3.0, 0.0]), torch.tensor([0.0, 1.0, 2.0]))
    torch.testing.assert_close(mean, torch.tensor([1 / 2, 2 / 3, 1 / 4]))
    assert chosen(rules.Greedy(spec(3, 10), NoConfig()), [0, 3, 0], [0, 1, 2]).tolist() == [1]


def test_ucb1_by_hand() -> None:
    # t = 7. Arm 0, 4 of 6: m = 5/8, √(2 ln 7 / 7) = 0.7457. Arm 1, 0 of 1: m = 1/3, √(2 ln 7 / 2) = 1.3950.
    # Equal at c = (5/8 − 1/3) / (1.3950 − 0.7457) = 0.4492.
    for coefficient, arm in ((0.44, 0), (0.46, 1)):
        policy = rules.UCB1(spec(2, 10), rules.UCB1Config(coefficient))
        assert chosen(policy, [4, 0], [2, 1]).tolist() == [arm]


def test_ties_are_broken_evenly() -> None:
    policy = rules.Greedy(spec(4, 10), NoConfig())
    share = chosen(policy, [0, 1, 0, 2], [0, 1, 3, 2], lanes=30_000).bincount(minlength=4) / 30_000
    torch.testing.assert_close(share, torch.tensor([1 / 3, 1 / 3, 0.0, 1 / 3]), atol=0.011, rtol=0)


def test_epsilon_greedy_explores_at_its_rate() -> None:
    policy = rules.EpsilonGreedy(spec(4, 20), rules.EpsilonConfig(0.2))
    share = chosen(policy, [9, 0, 0, 0], [0, 1, 1, 1], lanes=40_000).bincount(minlength=4) / 40_000
    torch.testing.assert_close(share, torch.tensor([0.85, 0.05, 0.05, 0.05]), atol=0.008, rtol=0)


def test_beta_draws_have_their_moments() -> None:
    draw = rules.sample_beta(torch.full((100_000,), 3.0), torch.full((100_000,), 2.0), stream("beta"))
    assert abs(draw.mean() - 3 / 5) < 0.003
    assert abs(draw.var() - 6 / (25 * 6)) < 0.001


@pytest.mark.parametrize("name", ["greedy", "thompson", "ots", "ucb1", "gittins", "bayes-optimal"])
def test_renaming_the_arms_renames_the_choice(name: str) -> None:
    """With counts that leave no tie, the permuted problem has the permuted answer, draw by draw or surely."""
    policy = build(make_request(name, "bandit-5"))[0]
    wins, losses = [3.0, 0.0, 1.0, 0.0, 0.0], [0.0, 2.0, 1.0, 1.0, 0.0]
    order = [4, 2, 0, 1, 3]
    straight = chosen(policy, wins, losses, 8000).bincount(minlength=5) / 8000
    renamed = (
        chosen(policy, [wins[i] for i in order], [losses[i] for i in order], 8000).bincount(minlength=5)
        / 8000
    )
    torch.testing.assert_close(renamed, straight[order], atol=0.025, rtol=0)


def score(name: str, task: str, tasks: int) -> tuple[float, float]:
    asked = make_request(name, task)
    drawn = sampling.TaskSet(task, "some", sampling.sample_tasks(asked.card, tasks, stream("some", task)))
    inputs = PolicyInputs(task=METHODS[name].sees_task)
    returns = np.array(
        meta_test(build(asked)[0], asked.card, drawn, inputs, 0, StepCounts())[0].returns, dtype=float
    )
    return float(returns.mean()), float(returns.std() / np.sqrt(tasks))


def test_the_optimal_policy_earns_its_value_and_no_rule_earns_more() -> None:
    optimum = bayes_bandit.optimal_value(10, 5)
    mean, error = score("bayes-optimal", "bandit-5", 20_000)
    assert abs(mean - optimum) < 3 * error
    for name, method in METHODS.items():
        if method.envs == ("bandit",) and not method.sees_task:
            mean, error = score(name, "bandit-5", 4000)
            assert mean < optimum + 3 * error, name


@pytest.mark.parametrize(
    "name, task, reference",  # an independent simulation of the same rules
    [
        ("random", "bandit-5:pulls=10", 4.98),
        ("random", "bandit-5:pulls=100", 50.0),
        ("thompson", "bandit-5:pulls=10", 5.85),
        ("thompson", "bandit-10:pulls=10", 5.58),
        ("thompson", "bandit-5:pulls=100", 75.0),
        ("ots", "bandit-5:pulls=100", 75.9),
        ("greedy", "bandit-5:pulls=10", 6.61),
    ],
)
def test_known_figures(name: str, task: str, reference: float) -> None:
    mean, error = score(name, task, 4000)
    assert abs(mean - reference) < 0.3 + 2 * error


def test_the_card_says_how_good_the_best_arm_is() -> None:
    for arms in (5, 10, 50):
        assert catalogue.task(f"bandit-{arms}").score.expert == pytest.approx(arms / (arms + 1), abs=1e-6)
