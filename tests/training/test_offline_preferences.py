"""Offline learning from comparisons: what is read of the dataset, and the two controls."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from answering import by_place
from resuming import snapshot

from metairl.agents.agent import ConditionedPolicy
from metairl.core.errors import DamagedFile, UsageError
from metairl.data import offline_dataset
from metairl.experiments.assemble import build
from metairl.experiments.judging import given_support
from metairl.experiments.request import Request, make_request
from metairl.methods.registry import find
from metairl.methods.settings import settings_from
from metairl.rewards.preferences.human_answers import Answer, append
from metairl.rewards.preferences.teachers import Answers, TrueReward
from metairl.training import offline
from metairl.training.offline_preferences import OfflinePreferences

TASK = "point-robot:data=replay"
FEW = TASK + ",comparisons=2"
SMALL = {"batch_tasks": 4, "batch": 8, "queries": {"labels": 30, "length": 5, "gradient_steps": 10}}


@pytest.fixture(autouse=True)
def quick(logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "ROUNDS", 3)


def asked(task: str = TASK, encoder: str = "oracle", **recipe: object) -> Request:
    settings = settings_from(find("preferences-iql"), encoder, {"recipe": SMALL | recipe}, "")
    return make_request("preferences-iql", task, encoder, settings=settings)


def built(task: str = TASK, encoder: str = "oracle", **recipe: object) -> OfflinePreferences:
    _, made = build(asked(task, encoder, **recipe))
    assert isinstance(made, OfflinePreferences)
    return made


def test_all_questions_are_asked_before_the_first_gradient_step_and_no_more() -> None:
    recipe = built()
    first = recipe.iterate(0.0)
    assert first["asked"] == first["labels"] == 30 and first["agreement"] == 1.0
    reward = snapshot(recipe.queries.reward.state_dict())
    assert recipe.iterate(0.5)["asked"] == 30
    assert all(torch.equal(value, reward[key]) for key, value in recipe.queries.reward.state_dict().items())


def test_every_logged_step_has_the_learned_reward_or_none() -> None:
    recipe = built()
    recipe.iterate(0.0)
    moves, _ = recipe.encoded_batch()
    torch.testing.assert_close(
        moves.reward, recipe.queries.reward.policy_reward(moves.z, moves.action).detach()
    )
    assert moves.reward.std() > 0.1
    control = built(training_reward="zero")
    assert "asked" not in control.iterate(0.0)
    assert not control.encoded_batch()[0].reward.any() and control.queries.asked == 0


@pytest.mark.parametrize("training_reward", ["learned", "zero"])
def test_what_was_logged_as_reward_is_not_learned_from(
    training_reward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrueReward, "answer", by_place)
    learned, read = [], offline_dataset.read
    for other in (read, spoilt(read)):
        monkeypatch.setattr(offline_dataset, "read", other)
        recipe = built(training_reward=training_reward)
        recipe.iterate(0.0)
        learned.append(snapshot(recipe.networks.state_dict()))
    assert all(torch.equal(value, learned[1][key]) for key, value in learned[0].items())


def spoilt(
    read: Callable[..., offline_dataset.OfflineDataset],
) -> Callable[..., offline_dataset.OfflineDataset]:
    """The same logs with other rewards."""

    def other(*words: object) -> offline_dataset.OfflineDataset:
        found = read(*words)
        kept = found.replay.select(torch.arange(len(found)))
        kept.data |= {key: torch.randn_like(kept.data[key]) for key in ("reward", "training_reward")}
        return replace(found, replay=kept)

    return other


def turned(answers: Answers) -> Answers:
    return replace(answers, first=1 - answers.first)


def test_a_persons_answers_take_the_teachers_place(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    for step in range(6):
        append(path, Answer(0, (0, 1), (step, 3), 4, "skip" if step == 5 else "left"))
    recipe = built(answers=str(path))
    found = recipe.iterate(0.0)
    assert found["labels"] == 5 and recipe.queries.pairs is not None
    assert recipe.queries.pairs.obs.shape[:3] == (5, 2, 4)
    kept = recipe.replay.data["obs"][0]
    torch.testing.assert_close(recipe.queries.pairs.obs[2, 0], kept[0, 2:6])
    assert recipe.iterate(0.5)["labels"] == 5  # they are read once
    append(path, Answer(0, (0, 1), (0, 3), 4, "right"))
    bad = built(answers=str(path))
    with pytest.raises(DamagedFile, match=r"answers\.jsonl:7: answers the question of .*:1 otherwise"):
        bad.iterate(0.0)
    assert bad.gradient_steps == 0 and bad.queries.pairs is None


def test_as_many_questions_are_asked_about_every_training_task_and_all_of_them_count() -> None:
    recipe = built(FEW, "focal", queries=SMALL["queries"] | {"labels": 95})
    assert recipe.comparisons is not None and recipe.comparisons.each == 4
    first = recipe.iterate(0.0)
    assert first["asked"] == first["labels"] == 80
    torch.testing.assert_close(
        recipe.comparisons.pairs.task[::4], recipe.replay.tasks[: len(recipe.source)].float()
    )
    batch = recipe.context_for(torch.tensor([3, 0]))
    assert batch.obs.shape[:2] == (2, 20) and set(batch.reward.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_a_held_out_task_is_inferred_from_its_comparisons_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is which of two segments decides what is believed; what was logged as reward does not."""
    wanted = asked(FEW, "focal", queries=SMALL["queries"] | {"labels": 40})
    policy, _ = build(wanted)
    monkeypatch.setattr(TrueReward, "answer", by_place)
    beliefs = [given_support(wanted, policy, wanted.card, "test")]
    read = offline_dataset.read
    monkeypatch.setattr(offline_dataset, "read", spoilt(read))
    beliefs.append(given_support(wanted, policy, wanted.card, "test"))
    monkeypatch.setattr(TrueReward, "answer", lambda *words: turned(by_place(*words)))
    beliefs.append(given_support(wanted, policy, wanted.card, "test"))
    known = [belief.posterior for belief in beliefs if isinstance(belief, ConditionedPolicy)]
    assert torch.equal(known[0], known[1])
    assert not torch.isclose(known[0], known[2]).all(1).any()


def test_where_tasks_are_inferred_it_is_said_from_how_many_answers() -> None:
    with pytest.raises(UsageError, match="say how many: point-robot-v1:data=replay,comparisons=10"):
        asked(TASK, "pearl")
    with pytest.raises(
        UsageError, match=r"recipe\.queries\.labels must be 40 or more: 2 comparisons of each of 20"
    ):
        built(FEW, "pearl")
    with pytest.raises(UsageError, match=r"recipe\.answers needs policies that observe the task"):
        built(FEW, "pearl", answers="answers.jsonl")
