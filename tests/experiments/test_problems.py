"""Problems: where training tasks come from, what a task gives before its trial, and which data matters."""

import pytest
import torch

from metairl.core.interfaces import SetEncoder
from metairl.data.offline_dataset import OfflineDataset
from metairl.envs import spec_of
from metairl.experiments import problems
from metairl.experiments.assemble import build
from metairl.experiments.request import Request, make_request
from metairl.methods.method import Regime
from metairl.methods.registry import METHODS
from metairl.tasks import sampling

REPLAY, DEMOS = "point-robot:data=replay", "point-robot:data=expert,demos=1"


def source(request: Request) -> problems.Source:
    return request.problem.tasks(request, spec_of(request.card))


def encoder_of(request: Request) -> SetEncoder:
    policy, _ = build(request)
    encoder = policy.agent.encoder  # type: ignore[union-attr]
    assert isinstance(encoder, SetEncoder)
    return encoder


def test_every_method_solves_a_problem_that_exists() -> None:
    assert {method.problem for method in METHODS.values()} == set(problems.PROBLEMS)


def test_only_what_needs_no_data_of_a_card_transfers_to_another() -> None:
    able = {name for name, problem in problems.PROBLEMS.items() if problem.transfers}
    assert able == {"exact", "online", "examples"}


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    "method, task, regime, keys",
    [
        ("sac", "point-robot", None, set()),
        ("vice", "point-robot:examples=5", None, set()),
        ("iql", REPLAY, None, {"data_sha256"}),
        ("bc-demos", DEMOS, None, {"data_sha256", "train_data_sha256"}),
        ("gail", DEMOS, None, {"data_sha256", "train_data_sha256"}),
        ("gail", DEMOS, "scratch", {"data_sha256"}),
        ("clare", DEMOS, None, {"data_sha256", "train_data_sha256", "other_data_sha256"}),
        ("maxent-irl", "random-mdp:data=expert,demos=1", None, {"data_sha256"}),
        ("maxent-irl", "random-mdp:data=expert,demos=1", "meta", {"data_sha256", "train_data_sha256"}),
    ],
)
def test_a_run_names_the_data_it_depends_on(
    method: str, task: str, regime: Regime | None, keys: set[str]
) -> None:
    identity = make_request(method, task, regime=regime).identity()
    assert {key for key in identity if key.endswith("data_sha256")} == keys
    assert all(len(identity[key]) == 64 for key in keys)


@pytest.mark.usefixtures("logged")
def test_offline_methods_read_training_tasks_and_from_scratch_held_out_ones() -> None:
    training, held_out = (
        source(make_request("iql", REPLAY, regime=regime)) for regime in ("meta", "scratch")
    )
    assert isinstance(training, OfflineDataset) and isinstance(held_out, OfflineDataset)
    card = make_request("iql", REPLAY).card
    test = sampling.task_set(card, "test").tasks["goal"].float()
    torch.testing.assert_close(held_out.replay.tasks, test)
    assert not (training.replay.tasks[:, None] == test).all(-1).any()


@pytest.mark.usefixtures("logged")
def test_imitation_reads_no_reward_and_goal_conditioned_methods_none_either() -> None:
    for method, task in (("bc-demos", DEMOS), ("gc-iql", REPLAY)):
        found = source(make_request(method, task))
        assert isinstance(found, OfflineDataset)
        assert not found.replay.data["reward"].any() and not found.replay.data["training_reward"].any()
    logged = source(make_request("iql", REPLAY))
    assert isinstance(logged, OfflineDataset) and logged.replay.data["reward"].any()


@pytest.mark.usefixtures("logged")
def test_one_held_out_task_is_the_one_of_that_index() -> None:
    request = make_request("iql", REPLAY, regime="scratch")
    tasks, spec = sampling.task_set(request.card, "test"), spec_of(request.card)
    one = request.problem.one_task(request, spec, tasks, 3)
    assert isinstance(one, OfflineDataset) and len(one) == 1
    torch.testing.assert_close(one.replay.tasks[0], tasks.tasks["goal"][3].float())


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    "method, task, steps",
    [("iql", REPLAY, 200), ("bc-demos", DEMOS, 200), ("vice", "point-robot:examples=5,episodes=1", 5)],
)
def test_support_is_of_every_task_in_order_and_so_long(method: str, task: str, steps: int) -> None:
    request = make_request(method, task, "pearl")
    batch = request.problem.context(request, encoder_of(request), request.card, "test")
    tasks = sampling.task_set(request.card, "test")
    assert batch is not None and batch.obs.shape[:2] == (len(tasks), steps)
    again = request.problem.context(request, encoder_of(request), request.card, "test")
    assert again is not None and torch.equal(batch.obs, again.obs)
    if method == "bc-demos":
        assert not batch.reward.any()
    if method != "vice":
        torch.testing.assert_close(batch.task, tasks.tasks["goal"].float())


def test_online_methods_get_nothing_before_the_trial() -> None:
    request = make_request("pearl", "point-robot")
    assert request.problem.context(request, encoder_of(request), request.card, "test") is None
