"""What imitators are shown, what is refused, and that nothing but demonstrations is followed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from resuming import saved, snapshot
from torch import Tensor, nn

from metairl.cli.main import main
from metairl.core.errors import Diverged, StorageError, UsageError
from metairl.core.records import Evaluation, RunFolder
from metairl.core.types import Step
from metairl.data import offline_dataset
from metairl.data.demonstrations import demo_dataset, demonstrated_tasks, training_demos
from metairl.envs import spec_of
from metairl.envs.point import Point
from metairl.evaluation.protocol import StepCounts
from metairl.evaluation.statistics import permutation_test
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import Request, make_request
from metairl.experiments.run import execute
from metairl.methods.registry import METHODS
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch
from metairl.tasks import catalogue
from metairl.training import dynamics_ensemble, offline
from metairl.training.adversarial_imitation import AdversarialImitation

POINT = "point-robot:data=expert,demos={},episodes=1"
SHOWN = ("point-robot:data=expert,demos=1,episodes=1", "tabular-mdp:data=expert,demos=1,episodes=1")
BRIEF: dict[str, object] = {
    "trials": 8, "rounds": 2, "rows": 4, "steps": 8, "batch_tasks": 4, "batch": 8, "context": 8,
    "ratio": 0.02, "rollouts": 40, "model": dynamics_ensemble.Config(hidden=(8,), epochs=1),
    "reward_steps": 2, "reward_batch": 40, "threshold": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def poles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six episodes of random pushes: enough to be told apart from."""
    root = tmp_path_factory.mktemp("poles")
    words = ["collect", "cartpole", "--quality", "random", "--name", "expert", "--expert", "random"]
    assert main([*words, "--episodes", "6", "--out", str(root)]) == 0
    return root


def test_no_demonstrations_no_imitation() -> None:
    with pytest.raises(
        UsageError, match="learns from demonstrations; say which, and how many: point-robot-v1:data"
    ):
        make_request("gail", "point-robot")
    with pytest.raises(UsageError, match="'demos' needs the name of a dataset, as in data=expert,demos=3"):
        make_request("gail", "point-robot:demos=3")


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(("anneal_lr", "left"), [(True, 0.25), (False, 1.0)])
def test_a_rate_falls_offline_where_it_is_asked_to(anneal_lr: bool, left: float) -> None:
    asked = make_request("bc-demos", POINT.format(1))
    own = replace(asked.settings.recipe, anneal_lr=anneal_lr, batch_tasks=2, batch=8)
    _, recipe = build(replace(asked, settings=replace(asked.settings, recipe=own)))
    assert isinstance(recipe, offline.Offline)
    recipe.iterate(0.75)
    assert recipe.optimiser.param_groups[0]["lr"] == pytest.approx(own.learning_rate * left)


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("method", ["gail", "airl", "gcl"])
def test_a_reward_s_gradients_do_not_count_in_the_policy_s(method: str) -> None:
    """A policy's gradient is scaled down by its norm, which is to be its own."""
    asked = make_request(method, POINT.format(1))
    settings = replace(
        asked.settings, recipe=replace(asked.settings.recipe, trials=4, rounds=1, batch_trials=4)
    )
    _, recipe = build(replace(asked, settings=settings))
    assert isinstance(recipe, AdversarialImitation)
    recipe.iterate(0.0)
    assert all(parameter.grad is None for parameter in recipe.reward.parameters())
    assert any(parameter.grad is not None for parameter in recipe.agent.networks.parameters())


@pytest.mark.usefixtures("logged")
def test_draws_of_several_episodes_are_refused() -> None:
    with pytest.raises(UsageError, match="needs trials of one episode here: try episodes=1"):
        build(make_request("gail", "point-robot:data=expert,demos=1,episodes=2", "pearl"))


def test_what_is_shown_without_rewards_is_not_read_by_them() -> None:
    def ask(method: str, task: str) -> Request:
        settings = make_request(method, task, "pearl").settings
        settings = replace(settings, encoder=replace(settings.encoder, ignore_zero_reward=True))
        return make_request(method, task, "pearl", settings=settings)

    with pytest.raises(
        UsageError, match=r"encoder\.ignore_zero_reward: 'bc-demos' infers tasks without rewards"
    ):
        ask("bc-demos", POINT.format(1))
    assert ask("iql", "point-robot:data=replay").settings.encoder.ignore_zero_reward


@pytest.mark.usefixtures("logged")
def test_more_demonstrations_than_there_are_is_refused_by_the_task() -> None:
    with pytest.raises(StorageError, match="has 2 episodes, not 3"):
        build(make_request("bc-demos", POINT.format(3)))


@pytest.mark.usefixtures("logged")
def test_a_held_out_task_shows_so_many_and_training_tasks_all() -> None:
    card = catalogue.task(POINT.format(1))
    found = demo_dataset(card, spec_of(card), "test", seed=0)
    assert found.replay.capacity == 1 and found.replay.is_demo and found.context_episodes == 1
    assert not found.replay.data["reward"].any() and not found.replay.data["training_reward"].any()
    assert training_demos(card, spec_of(card), seed=0).replay.num_trials.tolist() == [2] * 20


@pytest.mark.usefixtures("logged")
def test_worlds_are_those_of_the_demonstrated_tasks() -> None:
    card = catalogue.task(POINT.format(1))
    source = demonstrated_tasks(card, spec_of(card), "cpu", seed=0)
    which = torch.tensor([3, 0, 7])
    env = source.env(source.tasks[which], torch.Generator())
    torch.testing.assert_close(env.task, source.demos.replay.tasks[which])


def test_one_task_shows_n_demonstrations_and_no_more(poles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAIRL_DATA", str(poles))
    card = catalogue.task("cartpole:data=expert,demos=2")
    assert training_demos(card, spec_of(card), seed=0).replay.num_trials.tolist() == [2]
    judged = demo_dataset(card, spec_of(card), "test", seed=0).replay
    assert all(torch.equal(judged.data["obs"][0], other) for other in judged.data["obs"])


def pushed(name: str, root: Path, monkeypatch: pytest.MonkeyPatch, **recipe: object) -> Request:
    monkeypatch.setenv("METAIRL_DATA", str(root))
    asked = make_request(name, "cartpole:data=expert,demos=2", steps=30_000)
    return replace(asked, settings=replace(asked.settings, recipe=replace(asked.settings.recipe, **recipe)))


def test_a_reward_that_diverges_is_reported_and_records_are_kept(
    poles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pushed("gail", poles, monkeypatch, reward_learning_rate=1e30, trials=4)
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

    def policy_reward(self, deeds: DiscriminatorBatch) -> Tensor:
        return torch.ones_like(deeds.mask)

    def absorbing_reward(self) -> Tensor:
        return torch.ones(())


@pytest.mark.learning
def test_a_constant_reward_teaches_nothing(poles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rest, 1 a step would teach to keep the pole up: it is the true reward."""
    asked = pushed("gail", poles, monkeypatch, trials=16, epochs=8, learning_rate=3e-3, rounds=0)
    policy, recipe = build(asked)
    assert isinstance(recipe, AdversarialImitation)
    recipe.reward = Constant()
    while recipe.clock < 12_000:
        recipe.iterate(0.0)
    ours = np.array(judge(asked, policy, "test", StepCounts())[0].returns, dtype=float)
    chance = make_request("random", "cartpole")
    theirs = np.array(judge(chance, build(chance)[0], "test", StepCounts())[0].returns, dtype=float)
    # the mode of a network that learned nothing may keep it up some twice as long as chance
    assert permutation_test(ours, 2 * theirs, np.random.default_rng(0)) > 0.05


def imitations() -> Iterator[tuple[str, str, str]]:
    """Every learner and recipe with encoders of every kind; what trains in held-out tasks is the same."""
    for task in SHOWN:
        env = catalogue.task(task).world
        for name, method in METHODS.items():
            if method.problem not in ("imitation", "online-imitation") or not method.pretrains:
                continue
            if not method.envs or env in method.envs:
                for encoder in method.encoders or ("none", "oracle", "pearl", "rl2"):
                    yield name, encoder, task


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("name, encoder, task", list(imitations()))
def test_what_imitates_moves_every_network_resumes_bit_for_bit_and_is_judged(
    name: str, encoder: str, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline, "ROUNDS", 3)
    asked = brief(make_request(name, task, encoder))
    policy, straight = build(asked)
    assert straight is not None
    start = snapshot(straight.networks.state_dict())
    for progress in (0.0, 0.3):
        straight.iterate(progress)
    halfway = torch.load(saved(straight.state()), weights_only=True)
    assert all(value == value for value in straight.iterate(0.6).values())
    ends = straight.networks.state_dict()
    assert {key for key, value in ends.items() if not torch.equal(value, start[key])} == set(start)
    _, resumed = build(asked)
    assert resumed is not None
    resumed.load(halfway)
    resumed.iterate(0.6)
    assert all(torch.equal(ends[key], value) for key, value in resumed.networks.state_dict().items())
    first, again = (judge(asked, policy, "validation", StepCounts()) for _ in range(2))
    assert [e.returns for e in first] == [e.returns for e in again]
    assert len(first[0].returns) == asked.card.split.validation and not asked.inputs.reward


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("name", sorted({name for name, _, _ in imitations()}))
def test_imitation_never_reads_what_was_paid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewards in the logs, and in the worlds that it lives in, are spoilt: it learns the same."""
    monkeypatch.setattr(offline, "ROUNDS", 3)
    task = next(
        task
        for _, _, task in imitations()
        if METHODS[name].envs is None or catalogue.task(task).world in METHODS[name].envs
    )
    encoder = "pearl" if METHODS[name].any_encoder else None
    learned = []
    for spoilt in (False, True):
        if spoilt:
            spoil_rewards(monkeypatch)
        _, trained = build(brief(make_request(name, task, encoder)))
        assert trained is not None
        for progress in (0.0, 0.5):
            trained.iterate(progress)
        learned.append(snapshot(trained.networks.state_dict()))
    assert all(torch.equal(value, learned[1][key]) for key, value in learned[0].items())


def brief(tuned: Request) -> Request:
    small = {key: value for key, value in BRIEF.items() if hasattr(tuned.settings.recipe, key)}
    return replace(tuned, settings=replace(tuned.settings, recipe=replace(tuned.settings.recipe, **small)))


def spoil_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    read, step = offline_dataset.read, Point.step

    def other_logs(*words: object) -> offline_dataset.OfflineDataset:
        found = read(*words)
        kept = found.replay.select(torch.arange(len(found)))
        kept.data |= {key: torch.randn_like(kept.data[key]) for key in ("reward", "training_reward")}
        return replace(found, replay=kept)

    def other_step(self: Point, action: Tensor) -> Step:
        came = step(self, action)
        return replace(came, reward=torch.randn_like(came.reward), shaped=None)

    monkeypatch.setattr(offline_dataset, "read", other_logs)
    monkeypatch.setattr(Point, "step", other_step)
