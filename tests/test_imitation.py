"""What imitators are shown, what is refused, and that nothing but demonstrations is followed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from metairl.catalogue import task
from metairl.cli import main
from metairl.errors import Diverged, StorageError, UsageError
from metairl.protocol import Spent
from metairl.recipes.adversarial import Adversarial
from metairl.record import Evaluation, RunFolder
from metairl.request import Request, build, judge, request, spec_of
from metairl.rewards.deeds import Deeds
from metairl.run import execute
from metairl.showing import demonstrated, imitated, to_learn_from
from metairl.stats import permutation_test

SHOWN = "point-robot:data=expert,demos={},episodes=1"


@pytest.fixture(scope="module")
def poles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six episodes of random pushes: enough to be told apart from."""
    root = tmp_path_factory.mktemp("poles")
    words = ["collect", "cartpole", "--quality", "random", "--name", "expert", "--expert", "random"]
    assert main([*words, "--episodes", "6", "--out", str(root)]) == 0
    return root


def test_no_demonstrations_no_imitation() -> None:
    with pytest.raises(UsageError, match="learns from demonstrations: say which, as in point-robot-v1:data"):
        request("gail", "point-robot")
    with pytest.raises(UsageError, match="say of which logs first, as in data=expert,demos=3"):
        request("gail", "point-robot:demos=3")


@pytest.mark.usefixtures("logged")
def test_more_demonstrations_than_there_are_is_refused_by_the_task() -> None:
    with pytest.raises(StorageError, match="has 2 episodes in its logs, not 3"):
        build(request("bc-demos", SHOWN.format(3)))


@pytest.mark.usefixtures("logged")
def test_a_held_out_task_shows_so_many_and_training_tasks_all() -> None:
    card = task(SHOWN.format(1))
    found = demonstrated(card, spec_of(card), "test", seed=0)
    assert found.replay.room == 1 and found.replay.shown and found.few == 1
    assert not found.replay.kept["reward"].any() and not found.replay.kept["learned"].any()
    assert to_learn_from(card, spec_of(card), seed=0).replay.lived.tolist() == [2] * 20


@pytest.mark.usefixtures("logged")
def test_worlds_are_those_of_the_demonstrated_tasks() -> None:
    card = task(SHOWN.format(1))
    source = imitated(card, spec_of(card), "cpu", seed=0)
    which = torch.tensor([3, 0, 7])
    world = source.world(source.tasks[which], torch.Generator())
    torch.testing.assert_close(world.task, source.demos.replay.tasks[which])


def test_one_task_shows_n_demonstrations_and_no_more(poles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAIRL_DATA", str(poles))
    card = task("cartpole:data=expert,demos=2")
    assert to_learn_from(card, spec_of(card), seed=0).replay.lived.tolist() == [2]
    judged = demonstrated(card, spec_of(card), "test", seed=0).replay
    assert all(torch.equal(judged.kept["obs"][0], other) for other in judged.kept["obs"])


def brief(name: str, root: Path, monkeypatch: pytest.MonkeyPatch, **recipe: object) -> Request:
    monkeypatch.setenv("METAIRL_DATA", str(root))
    asked = request(name, "cartpole:data=expert,demos=2", steps=30_000)
    return replace(asked, settings=replace(asked.settings, recipe=replace(asked.settings.recipe, **recipe)))


def test_a_reward_that_diverges_is_reported_and_records_are_kept(
    poles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = brief("gail", poles, monkeypatch, reward_rate=1e30, trials=4)
    with pytest.raises(Diverged, match="became"):
        execute(asked, tmp_path, [])
    kept = RunFolder(tmp_path)
    assert kept.description()["status"] == "failed" and "became" in kept.description()["why"]
    assert any(isinstance(record, Evaluation) for record in kept.records())


class Constant(nn.Module):
    """A reward that is 1 in every step, at rest too."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def pays(self, deeds: Deeds) -> Tensor:
        return torch.ones_like(deeds.counts)

    def pays_at_rest(self) -> Tensor:
        return torch.ones(())


@pytest.mark.learning
def test_a_constant_reward_teaches_nothing(poles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rest, 1 a step would teach to keep the pole up: it is the true reward."""
    asked = brief("gail", poles, monkeypatch, trials=16, epochs=8, learning_rate=3e-3, rounds=0)
    policy, recipe = build(asked)
    assert isinstance(recipe, Adversarial)
    recipe.reward = Constant()
    while recipe.clock < 12_000:
        recipe.iterate(0.0)
    ours = np.array(judge(asked, policy, "test", Spent())[0].returns, dtype=float)
    chance = request("random", "cartpole")
    theirs = np.array(judge(chance, build(chance)[0], "test", Spent())[0].returns, dtype=float)
    # the mode of a network that learned nothing may keep it up some twice as long as chance
    assert permutation_test(ours, 2 * theirs, np.random.default_rng(0)) > 0.05
