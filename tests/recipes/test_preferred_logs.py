"""IQL under a reward from comparisons of logs: what it reads of them, and its controls."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from resuming import snapshot
from test_preferences import by_place

from metairl import logs
from metairl.errors import DamagedFile
from metairl.methods import find
from metairl.recipes import offline
from metairl.recipes.preferred_logs import PreferredLogs
from metairl.request import build, request
from metairl.rewards.recorded import Answer, append
from metairl.rewards.teachers import TrueReward
from metairl.tuning import settings_from

TASK = "point-robot:data=replay"
SMALL = {"batch_tasks": 4, "batch": 8, "ask": {"labels": 30, "length": 5, "rounds": 10}}


@pytest.fixture(autouse=True)
def quick(logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "ROUNDS", 3)


def built(**recipe: object) -> PreferredLogs:
    settings = settings_from(find("preferences-iql"), "oracle", {"recipe": SMALL | recipe}, "")
    _, made = build(request("preferences-iql", TASK, settings=settings))
    assert isinstance(made, PreferredLogs)
    return made


def test_all_questions_are_asked_before_the_first_gradient_step_and_no_more() -> None:
    recipe = built()
    first = recipe.iterate(0.0)
    assert first["asked"] == first["labels"] == 30 and first["agreement"] == 1.0
    reward = snapshot(recipe.asking.reward.state_dict())
    assert recipe.iterate(0.5)["asked"] == 30
    assert all(torch.equal(value, reward[key]) for key, value in recipe.asking.reward.state_dict().items())


def test_every_logged_step_is_paid_what_was_learned_or_nothing() -> None:
    recipe = built()
    recipe.iterate(0.0)
    moves, _ = recipe._moves()
    torch.testing.assert_close(moves.reward, recipe.asking.reward.pays(moves.z, moves.action).detach())
    assert moves.reward.std() > 0.1
    control = built(pays="nothing")
    assert "asked" not in control.iterate(0.0)
    assert not control._moves()[0].reward.any() and control.asking.asked == 0


@pytest.mark.parametrize("pays", ["answers", "nothing"])
def test_what_was_logged_as_reward_is_not_learned_from(pays: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrueReward, "answer", by_place)
    learned, read = [], logs.read

    def spoilt(*words: object) -> logs.Logs:
        found = read(*words)
        kept = found.replay.only(torch.arange(len(found)))
        kept.kept |= {key: torch.randn_like(kept.kept[key]) for key in ("reward", "learned")}
        return replace(found, replay=kept)

    for other in (read, spoilt):
        monkeypatch.setattr(logs, "read", other)
        recipe = built(pays=pays)
        recipe.iterate(0.0)
        learned.append(snapshot(recipe.networks.state_dict()))
    assert all(torch.equal(value, learned[1][key]) for key, value in learned[0].items())


def test_a_persons_answers_take_the_teachers_place(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    for step in range(6):
        append(path, Answer(0, (0, 1), (step, 3), 4, "skip" if step == 5 else "left"))
    recipe = built(answers=str(path))
    found = recipe.iterate(0.0)
    assert found["labels"] == 5 and recipe.asking.pairs is not None
    assert recipe.asking.pairs.obs.shape[:3] == (5, 2, 4)
    kept = recipe.replay.kept["obs"][0]
    torch.testing.assert_close(recipe.asking.pairs.obs[2, 0], kept[0, 2:6])
    assert recipe.iterate(0.5)["labels"] == 5  # they are read once
    append(path, Answer(0, (0, 1), (0, 3), 4, "right"))
    bad = built(answers=str(path))
    with pytest.raises(DamagedFile, match=r"answers\.jsonl:7: answers the question of .*:1 otherwise"):
        bad.iterate(0.0)
    assert bad.gradient_steps == 0 and bad.asking.pairs is None
