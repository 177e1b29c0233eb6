"""Goals in hindsight: where they come from, what they pay by hand, and what of the logs is never read."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from resuming import snapshot
from torch import Tensor

from metairl.agents.agent import AgentPolicy
from metairl.core.errors import StorageError, UsageError
from metairl.core.rng import stream
from metairl.core.types import Batch
from metairl.data import offline_dataset
from metairl.data.hindsight import GoalSampling, RelabelledDataset
from metairl.data.replay import Replay
from metairl.envs import point, spec_of
from metairl.experiments.assemble import build, copy_for_task
from metairl.experiments.request import make_request
from metairl.tasks import catalogue, sampling
from metairl.training import offline
from metairl.training.fine_tuning import Config as Adapt
from metairl.training.goal_conditioned_offline import GoalConditionedOffline

TASK = "point-robot:data=replay,episodes=1"
NAMES = ("gc-bc", "gc-iql", "actionable-models")


def kept(lengths: list[list[int]], next_obs: Tensor) -> RelabelledDataset:
    """Logs of point robots whose trials have these lengths, [N, trials], and led there, [N, trials, T, 2]."""
    tasks, trials, steps = next_obs.shape[:3]
    replay = Replay(trials, steps, torch.zeros(tasks, dtype=torch.long))
    replay.tasks = torch.full((tasks, 2), 9.0)
    replay.lengths = torch.tensor(lengths)
    replay.num_trials = (replay.lengths > 0).sum(1)
    flat = torch.zeros(tasks, trials, steps)
    flat_ones = dict.fromkeys(("reward", "training_reward", "done", "terminated"), flat)
    replay.data = {"obs": next_obs, "next_obs": next_obs, "action": next_obs} | flat_ones
    return RelabelledDataset(replay, "", goal=point.GOAL)


def numbered(lengths: list[list[int]], steps: int) -> RelabelledDataset:
    """What a step led to says which trial and which step it was; beyond a trial's end there is no number."""
    places = torch.full((len(lengths), len(lengths[0]), steps, 2), float("nan"))
    for task, row in enumerate(lengths):
        for trial, length in enumerate(row):
            for step in range(length):
                places[task, trial, step] = torch.tensor([100.0 * task + trial, float(step)])
    return kept(lengths, places)


def goals(
    found: RelabelledDataset, count: int, choice: GoalSampling, seed: int = 0
) -> tuple[Batch, Tensor, Tensor]:
    """Relabelled steps of every task: the rows, where each led, [B · count, 2], and its goal."""
    rows = found.sample_relabelled(torch.arange(len(found)), count, choice, stream("here", seed))
    return rows, rows.next_obs[:, 0], rows.task


def test_what_a_goal_pays_by_hand() -> None:
    """A trial leads to 0, 0.1 and 0.3; within 0.15 of a goal is there, which pays 4 and ends it."""
    places = torch.tensor([0.0, 0.1, 0.3])
    found = kept([[3]], torch.stack([places, torch.zeros(3)], dim=1)[None, None])
    rows, at, goal = goals(found, 400, GoalSampling(p_current=0.0, p_future=0.0, radius=0.15, reward=4.0))
    pays = {(0, 0): 4, (0, 1): 4, (0, 3): 0, (1, 0): 4, (1, 1): 4, (1, 3): 0, (3, 0): 0, (3, 1): 0, (3, 3): 4}
    seen = {}
    for here, there, reward, learned, ended in zip(
        at[:, 0],
        goal[:, 0],
        rows.reward[:, 0],
        rows.training_reward[:, 0],
        rows.terminated[:, 0],
        strict=True,
    ):
        assert reward == learned and ended == (reward > 0)
        seen[round(10 * here.item()), round(10 * there.item())] = int(reward)
    assert seen == pays
    assert rows.mask.shape == (400, 1) and rows.mask.all()


@settings(max_examples=30)
@given(
    lengths=some.lists(some.lists(some.integers(1, 7), min_size=2, max_size=2), min_size=1, max_size=3),
    p_current=some.sampled_from([0.0, 0.4, 1.0]),
    uniform=some.booleans(),
    decay=some.sampled_from([0.1, 0.9, 0.999]),
)
def test_goals_are_of_the_same_trial_and_none_lies_before_its_step(
    lengths: list[list[int]], p_current: float, uniform: bool, decay: float
) -> None:
    found = numbered(lengths, 7)
    _, at, goal = goals(
        found, 40, GoalSampling(p_current=p_current, p_future=1 - p_current, uniform=uniform, decay=decay)
    )
    assert torch.equal(goal[:, 0], at[:, 0])  # the same trial, and a number: within its length
    assert (goal[:, 1] >= at[:, 1]).all()
    if p_current == 1:
        assert torch.equal(goal, at)


@settings(max_examples=10)
@given(lengths=some.lists(some.lists(some.integers(0, 7), min_size=3, max_size=3), min_size=1, max_size=3))
def test_goals_of_others_are_steps_that_were_lived(lengths: list[list[int]]) -> None:
    whole = [sorted(row, reverse=True) for row in lengths]
    if not all(row[0] for row in whole):
        return
    _, at, goal = goals(numbered(whole, 7), 60, GoalSampling(p_current=0.0, p_future=0.0))
    assert at.isfinite().all() and goal.isfinite().all()


def test_goals_come_in_their_shares() -> None:
    """Of 100 trials of 400 steps: 0.2 here, 0.5 (1 − d) later but at once, 0.3 / 100 another's its own."""
    found = numbered([[400] * 50, [400] * 50], 400)
    _, at, goal = goals(found, 50_000, GoalSampling(p_current=0.2, p_future=0.5, decay=0.9))
    own = goal[:, 0] == at[:, 0]
    same = own & (goal[:, 1] == at[:, 1])
    assert same.float().mean().item() == pytest.approx(0.2 + 0.5 * 0.1, abs=0.01)
    assert own.float().mean().item() == pytest.approx(0.7 + 0.3 / 100, abs=0.01)
    tasks = goal[~own, 0] >= 100
    assert tasks.float().mean().item() == pytest.approx(0.5, abs=0.02)
    _, at, goal = goals(found, 50_000, GoalSampling(p_current=0.0, p_future=1.0, decay=0.9))
    wait = (goal[:, 1] - at[:, 1])[at[:, 1] < 250]
    assert wait.mean().item() == pytest.approx(9, abs=0.15)  # d / (1 − d)
    clipped = goal[at[:, 1] == 398, 1]
    assert (clipped == 399).float().mean().item() == pytest.approx(0.9, abs=0.06)


def test_later_goals_may_be_drawn_evenly() -> None:
    found = numbered([[4]], 4)
    _, at, goal = goals(found, 20_000, GoalSampling(p_current=0.0, p_future=1.0, uniform=True))
    first = goal[at[:, 1] == 0, 1]
    shares = torch.bincount(first.long(), minlength=4) / len(first)
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.02, rtol=0)


def test_where_an_episode_ended_early_nothing_follows_and_a_time_limit_ends_nothing() -> None:
    found = numbered([[3, 2]], 3)
    found.replay.data["terminated"] = torch.tensor([[[0.0, 0, 0], [0, 1, 0]]])
    rows, at, goal = goals(found, 300, GoalSampling(p_current=0.0, p_future=0.0, radius=0.5))
    arrived, fell = (at == goal).all(1), (at == torch.tensor([1.0, 1.0])).all(1)
    assert torch.equal(rows.terminated[:, 0].bool(), arrived | fell)
    assert not rows.reward[fell & ~arrived].any() and (fell & ~arrived).any()
    assert (at == torch.tensor([0.0, 2.0])).all(1)[~rows.terminated[:, 0].bool()].any()


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"p_current": 0.7, "p_future": 0.5}, "must be shares that add up to 1 at most, got 0.7 and 0.5"),
        ({"decay": 1.0}, r"must be in \(0, 1\), got 1.0"),
        ({"radius": -0.1}, "must be 0 or more, got -0.1"),
    ],
)
def test_choices_that_cannot_be_made_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        GoalSampling(**wrong)


# methods on logs


def built(name: str, task: str = TASK, seed: int = 0) -> GoalConditionedOffline:
    asked = make_request(name, task, seed=seed)
    small = replace(asked.settings.recipe, batch_tasks=4, batch=8)
    _, recipe = build(replace(asked, settings=replace(asked.settings, recipe=small)))
    assert isinstance(recipe, GoalConditionedOffline)
    return recipe


@pytest.fixture
def quick(logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "ROUNDS", 5)


def spoilt(found: offline_dataset.OfflineDataset) -> offline_dataset.OfflineDataset:
    replay = found.replay.select(torch.arange(len(found)))
    replay.data |= {key: torch.randn_like(replay.data[key]) for key in ("reward", "training_reward")}
    return replace(found, replay=replay)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", NAMES)
def test_what_was_logged_as_reward_is_not_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learned, read = [], offline_dataset.read
    for look in (read, lambda *words: spoilt(read(*words))):
        monkeypatch.setattr(offline_dataset, "read", look)
        recipe = built(name)
        assert not recipe.replay.data["reward"].any()
        recipe.iterate(0.0)
        learned.append(snapshot(recipe.networks.state_dict()))
    assert all(torch.equal(value, learned[1][key]) for key, value in learned[0].items())


@pytest.mark.usefixtures("quick")
def test_cloning_has_goals_of_its_own_trials_alone_and_values_have_others_too() -> None:
    assert built("gc-bc").config.goals == GoalSampling(p_current=0.0, p_future=1.0, uniform=True)
    assert built("gc-iql").config.goals.p_future + built("gc-iql").config.goals.p_current < 1


@pytest.mark.usefixtures("quick")
def test_learning_on_begins_with_what_was_learned_and_reads_so_many_labels_with_their_reward() -> None:
    task = "point-robot:data=replay,episodes=1,labels=7"
    asked = make_request("gc-iql", task, regime="fine-tune")
    asked = replace(asked, settings=replace(asked.settings, adapt=Adapt(steps=5, points=1, tasks=2)))
    _, before = build(asked)
    assert before is not None
    before.iterate(0.0)
    tasks = sampling.task_set(asked.card, "test")
    policy, recipe = copy_for_task(asked, before, tasks, 1)
    assert type(recipe) is offline.Offline and isinstance(policy, AgentPolicy)
    start = before.networks.state_dict()
    assert all(torch.equal(value, start[key]) for key, value in recipe.networks.state_dict().items())
    known = recipe.replay
    assert known.lengths.sum() == 7 and known.data["reward"].lt(0).all()  # minus the distance
    goal = tasks.tasks["goal"][1]
    torch.testing.assert_close(known.tasks[0], goal.to(known.tasks))
    away = (known.data["next_obs"][0, :, 0] - goal).norm(dim=1)
    torch.testing.assert_close(known.data["reward"][0, :, 0], -away.float())
    recipe.iterate(0.0)
    moved = {key for key, value in recipe.networks.state_dict().items() if not torch.equal(value, start[key])}
    assert moved == set(start)


@pytest.mark.usefixtures("logged")
def test_labels_are_different_transitions_of_the_seeds_choice_and_no_more_than_there_are() -> None:
    card = catalogue.task("point-robot:data=replay,labels=30")
    spec = spec_of(card)
    first, again, other = (offline_dataset.labelled(card, spec, "test", seed).replay for seed in (0, 0, 1))
    assert torch.equal(first.data["obs"], again.data["obs"])
    assert not torch.equal(first.data["obs"], other.data["obs"])
    assert first.data["obs"].shape == (100, 30, 1, 2) and (first.lengths == 1).all()
    drawn = first.sample_transitions(torch.arange(100), 50, stream("draw"))
    away = (drawn.next_obs - drawn.task.unsqueeze(1)).norm(dim=-1)
    torch.testing.assert_close(drawn.reward, -away)  # of its own task
    most = catalogue.task("point-robot:data=replay,labels=41")
    with pytest.raises(StorageError, match="task 0 has 40 transitions, not 41 to label"):
        offline_dataset.labelled(most, spec, "test", 0)


@settings(max_examples=20)
@given(lengths=some.lists(some.integers(1, 4), min_size=3, max_size=3), seed=some.integers(0, 9))
def test_some_transitions_are_lived_ones_and_none_twice(lengths: list[int], seed: int) -> None:
    replay = numbered([lengths], 4).replay
    few = replay.sample_distinct(3, stream("some", seed))
    rows = few.data["next_obs"][0, :, 0].unique(dim=0)
    assert rows.isfinite().all() and len(rows) == 3
    drawn = few.sample_transitions(torch.tensor([0]), 50, stream("draw")).next_obs[0]
    assert torch.equal(drawn.unique(dim=0), rows)


def test_labels_belong_to_the_name_of_a_task_and_not_to_its_logs_or_tuning() -> None:
    few, all_ = (catalogue.task(f"point-robot:data=replay{more}") for more in (",labels=5", ""))
    assert catalogue.task_name("point-robot:data=replay,labels=5").endswith("labels=5")
    assert few.sha256 != all_.sha256 and offline_dataset.env_sha256(few) == offline_dataset.env_sha256(all_)
    with pytest.raises(UsageError, match="'labels' needs the name of a dataset, as in data=replay,labels=5"):
        catalogue.task("point-robot:labels=5")


def test_combinations_that_cannot_work_are_refused_by_name(logged: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"observations of 'half-cheetah-v1' do not contain its goal; those of .*half-cheetah-vel",
    ):
        make_request("gc-iql", "half-cheetah:data=replay")
    with pytest.raises(UsageError, match="learns from logs; say which: point-robot-v1:data=replay"):
        make_request("gc-bc", "point-robot")
    for name, regime in (("iql", None), ("gc-iql", None), ("preferences-iql", "scratch"), ("sac", None)):
        with pytest.raises(
            UsageError, match=f"labels=5 limits .*, which '{name}(-scratch)?' does not train on"
        ):
            make_request(name, "point-robot:data=replay,labels=5", regime=regime)
    with pytest.raises(StorageError, match="no dataset there"):
        build(make_request("actionable-models", "point-maze:data=replay"))
    assert not list(logged.glob("point-maze*"))
