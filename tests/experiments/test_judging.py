"""Judging a request: on its own card or another one, given support, and while it adapts."""

import pytest

from metairl.agents.agent import AgentPolicy, ConditionedPolicy
from metairl.core.errors import UsageError
from metairl.evaluation.protocol import StepCounts
from metairl.experiments.assemble import build
from metairl.experiments.judging import given_support, infers_from_support, judge
from metairl.experiments.request import make_request
from metairl.rewards.irl.solution import IRLSolution
from metairl.tasks import catalogue

REPLAY = "point-robot:data=replay"
IRL = "random-mdp:data=expert,demos=1"


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    "method, task, encoder, infers",
    [
        ("iql", REPLAY, "pearl", True),
        ("iql", REPLAY, "rl2", True),  # reads its support in order
        ("iql", REPLAY, "none", False),
        ("iql", REPLAY, "oracle", False),
        ("pearl", "point-robot", "pearl", False),  # infers from the trial itself
    ],
)
def test_what_infers_tasks_from_support_is_conditioned_on_it(
    method: str, task: str, encoder: str, infers: bool
) -> None:
    request = make_request(method, task, encoder)
    policy, _ = build(request)
    assert infers_from_support(request, policy) == infers
    acting = given_support(request, policy, request.card, "validation")
    assert isinstance(acting, ConditionedPolicy) == infers
    assert infers or acting is policy


@pytest.mark.usefixtures("logged")
def test_irl_with_known_dynamics_is_fitted_to_demonstrations_of_every_task() -> None:
    request = make_request("projection", IRL)
    policy, _ = build(request)
    solved = given_support(request, policy, request.card, "test")
    assert isinstance(solved, IRLSolution) and len(solved.policy) == request.card.split.test
    longer = catalogue.task("gridworld:data=expert,demos=1")
    if longer.horizon != request.card.horizon:
        with pytest.raises(UsageError, match=f"'projection' plans for {request.card.horizon} steps"):
            given_support(request, policy, longer, "test")


def test_records_of_another_card_name_it() -> None:
    request = make_request("random", "bandit-5")
    policy, _ = build(request)
    here = judge(request, policy, "validation", StepCounts())
    there = judge(request, policy, "validation", StepCounts(), catalogue.task("bandit-5:pulls=10"))
    assert [record.split for record in here] == ["validation"]
    assert [record.split for record in there] == ["bandit-5-v1:validation"]


@pytest.mark.usefixtures("logged")
def test_finite_mdps_are_judged_by_exact_measures_too() -> None:
    request = make_request("tabular-bc", IRL)
    found = judge(request, build(request)[0], "validation", StepCounts())
    assert all({"value-difference", "agreement"} <= set(record.measures or {}) for record in found)
    other = make_request("random", "bandit-5")
    assert judge(other, build(other)[0], "validation", StepCounts())[0].measures is None


@pytest.mark.usefixtures("logged")
def test_a_card_without_logs_gives_no_support() -> None:
    request = make_request("iql", REPLAY, "pearl")
    policy, _ = build(request)
    assert isinstance(policy, AgentPolicy)
    with pytest.raises(UsageError, match="infers tasks from their logs, and 'point-robot-v1' has none"):
        given_support(request, policy, catalogue.task("point-robot"), "test")
