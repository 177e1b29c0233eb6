"""A policy that is paid by comparisons: its budget of questions, what it never reads, and that it learns."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from answering import by_place
from resuming import saved, snapshot
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.records import RunFolder, Training
from metairl.core.types import Step
from metairl.envs.point import Point
from metairl.evaluation.protocol import StepCounts
from metairl.evaluation.statistics import permutation_test
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import Request, make_request
from metairl.experiments.run import execute
from metairl.methods.registry import find
from metairl.methods.settings import settings_from
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Answers, TrueReward
from metairl.training import preference_queries

TASK = "point-robot:episodes=1"
SMALL: dict[str, dict[str, Any]] = {
    "preferences": {"trials": 8, "each": 2},
    "preferences-sac": {"tasks": 4, "trials": 2, "ratio": 0.1, "batch_tasks": 4, "batch": 8},
}
QUESTIONS = {"labels": 40, "session": 7, "gradient_steps": 5, "length": 5}


def asked(name: str, steps: int = 1600, **questions: object) -> Request:
    values = {"recipe": {**SMALL[name], "queries": QUESTIONS | questions}}
    settings = settings_from(find(name), "oracle", values, "")
    return make_request(name, TASK, steps=steps, settings=settings)


@pytest.mark.parametrize("name", list(SMALL))
def test_the_budget_of_labels_is_asked_to_the_last_and_recorded(name: str, tmp_path: Path) -> None:
    execute(asked(name), tmp_path, [])
    kept = [r.metrics for r in RunFolder(tmp_path).records() if isinstance(r, Training)]
    mask = [metrics.get("asked", 0.0) for metrics in kept]
    assert mask == sorted(mask) and mask[-1] == 40
    assert kept[-1]["labels"] == 40 and kept[-1]["agreement"] == 1
    assert len(set(mask) - {0.0}) > 3  # in several sessions
    half = [metrics["asked"] for record, metrics in zip(training(tmp_path), kept, strict=True)
            if record.env_steps >= 1100]  # fmt: skip
    assert set(half) == {40.0}  # all of them by the half, and what one iteration adds


def training(folder: Path) -> list[Training]:
    return [record for record in RunFolder(folder).records() if isinstance(record, Training)]


def test_skipped_questions_are_spent_and_are_no_labels() -> None:
    _, recipe = build(asked("preferences", teacher={"skip": 0.7}))
    metrics = [recipe.iterate(progress) for progress in (0.0, 0.3, 0.6)][-1]
    assert metrics["asked"] == 40 and 0 < metrics["labels"] < 40
    assert metrics["labels"] == len(recipe.queries.pairs)


def test_a_teacher_that_skips_everything_leaves_the_reward_as_it_was() -> None:
    def silent(self: TrueReward, pairs: Pairs, paid: Tensor, rng: Generator) -> Answers:
        return Answers(torch.zeros(len(pairs)), torch.zeros(len(pairs), dtype=torch.bool))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrueReward, "answer", silent)
        _, recipe = build(asked("preferences"))
        before = snapshot(recipe.queries.reward.state_dict())
        metrics = recipe.iterate(0.0)
    assert metrics["asked"] == 8 and metrics["labels"] == 0
    assert all(torch.equal(value, before[key]) for key, value in recipe.queries.reward.state_dict().items())


@pytest.mark.parametrize("name", list(SMALL))
def test_nothing_but_answers_is_learned_from(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewards of the world are spoilt while the answers stay: the same weights."""
    monkeypatch.setattr(TrueReward, "answer", by_place)
    learned = []
    for spoilt in (False, True):
        if spoilt:
            monkeypatch.setattr(Point, "step", noisy(Point.step))
        _, recipe = build(asked(name))
        for progress in (0.0, 0.3, 0.6):
            recipe.iterate(progress)
        learned.append(snapshot(recipe.networks.state_dict()))
    assert all(torch.equal(value, learned[1][key]) for key, value in learned[0].items())


def noisy(step: Callable[[Point, Tensor], Step]) -> Callable[[Point, Tensor], Step]:
    def other(self: Point, action: Tensor) -> Step:
        came = step(self, action)
        return replace(came, reward=torch.randn_like(came.reward))

    return other


@pytest.mark.parametrize("name", list(SMALL))
def test_every_network_moves_and_a_resumed_run_is_equal_bit_for_bit(name: str) -> None:
    policy, straight = build(asked(name))
    start = snapshot(straight.networks.state_dict())
    for progress in (0.0, 0.2):
        straight.iterate(progress)
    halfway = torch.load(saved(straight.state()), weights_only=True)
    for progress in (0.3, 0.4):
        metrics = straight.iterate(progress)
    ends = straight.networks.state_dict()
    assert {key for key, value in ends.items() if not torch.equal(value, start[key])} == set(start)
    _, resumed = build(asked(name))
    resumed.load(halfway)
    for progress in (0.3, 0.4):
        again = resumed.iterate(progress)
    assert again == metrics
    assert all(torch.equal(ends[key], value) for key, value in resumed.networks.state_dict().items())
    assert not asked(name).inputs.reward
    assert len(judge(asked(name), policy, "validation", StepCounts())[0].returns) == 100


def test_every_step_that_was_kept_is_paid_by_the_newest_reward() -> None:
    """Relabelling is of what a gradient step reads, so nothing of an older reward is left."""
    _, recipe = build(asked("preferences-sac"))
    for progress in (0.0, 0.2):
        recipe.iterate(progress)
    moves, _ = recipe.encoded_batch()
    reward = recipe.queries.reward
    torch.testing.assert_close(moves.reward, reward.policy_reward(moves.z, moves.action).detach())
    with torch.no_grad():
        reward.r.biases[-1] += 1.0
        recipe.streams["improve"].manual_seed(0)
        recipe.streams["choose"].manual_seed(0)
        before = recipe.encoded_batch()[0].reward
        reward.r.biases[-1] -= 1.0
        recipe.streams["improve"].manual_seed(0)
        recipe.streams["choose"].manual_seed(0)
        torch.testing.assert_close(
            before - recipe.encoded_batch()[0].reward, torch.ones_like(before) / reward.scale
        )


def test_what_cannot_work_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="encoders 'oracle' and 'none' and 'care', not with 'rl2'"):
        make_request("preferences", TASK, "rl2")
    uneven = settings_from(find("preferences"), "oracle", {"recipe": {"trials": 6, "each": 4}}, "")
    with pytest.raises(UsageError, match=r"recipe\.trials must be a multiple of recipe\.each, 4"):
        build(make_request("preferences", TASK, settings=uneven))
    with pytest.raises(UsageError, match=r"recipe\.queries\.until is a share, above 0 and at most 1"):
        build(asked("preferences", until=0.0))


def test_a_segment_is_no_longer_than_a_trial() -> None:
    _, recipe = build(asked("preferences", length=500))
    recipe.iterate(0.0)
    assert recipe.queries.pairs.obs.shape[2] == 20


def test_questions_are_due_by_the_share_of_training() -> None:
    _, recipe = build(asked("preferences", labels=100, initial_share=0.2, until=0.5, session=30))
    queries: preference_queries.PreferenceQueries = recipe.queries
    assert queries.due(0.0) == 20
    queries.asked = 20
    assert queries.due(0.15) == 0  # 24 would be
    assert queries.due(0.25) == 40
    queries.asked = 90
    assert queries.due(0.5) == queries.due(0.9) == 10
    queries.asked = 100
    assert queries.due(0.9) == 0


@pytest.mark.learning
def test_comparisons_teach_where_to_go() -> None:
    """From 300 of them a point comes nearer to its goal than a policy that is paid nothing of use."""
    scores = []
    for labels in (300, 1):
        recipe = {
            "epochs": 10,
            "learning_rate": 3e-3,
            "queries": {"length": 5, "labels": labels, "gradient_steps": 100},
        }
        learner = {"trace": 0.9, "gamma": 0.95, "hidden": (64, 64)}
        values = {"recipe": recipe, "learner": learner}
        settings = settings_from(find("preferences"), "oracle", values, "")
        wanted = make_request("preferences", TASK, steps=60_000, settings=settings)
        policy, trained = build(wanted)
        while trained.clock < wanted.steps:
            trained.iterate(trained.clock / wanted.steps)
        scores.append(np.array(judge(wanted, policy, "test", StepCounts())[0].returns, dtype=float))
    assert scores[0].mean() > -8
    assert permutation_test(scores[0], scores[1], np.random.default_rng(0)) < 0.001


def test_a_task_may_say_how_many_questions_there_are() -> None:
    """Whatever was tuned; who asks nothing is refused."""
    few = make_request("preferences", "point-robot:episodes=1,questions=30")
    tuned = make_request("preferences", "point-robot:episodes=1")
    assert few.settings.recipe.queries == replace(tuned.settings.recipe.queries, labels=30)
    assert few.steps == tuned.steps and few.settings.learner == tuned.settings.learner
    with pytest.raises(UsageError, match="questions=30: 'ppo' asks no questions"):
        make_request("ppo", "point-robot:questions=30")
