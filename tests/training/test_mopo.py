"""MOPO: model rollouts, the data it learns from, exact resume, and what is refused."""

import io
from dataclasses import replace
from math import isfinite
from typing import Any

import pytest
import torch
from torch import Tensor

from metairl.agents.exact.baselines import Random
from metairl.core.errors import CardError, UsageError
from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.core.types import NoConfig, Outcome, PolicyInputs, Trial
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.replay import Replay
from metairl.envs import make, spec_of
from metairl.envs.point import Point
from metairl.envs.termination import ends_of
from metairl.experiments.request import make_request
from metairl.methods import build, registry, requirements
from metairl.methods import settings as tuning
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard
from metairl.training import dynamics_ensemble
from metairl.training import mopo as mopo_training
from metairl.training.model_rollouts import one_trial_a_task
from metairl.training.mopo import MOPO

TASKS, EPISODES = 3, 2
HOPPER = catalogue.task("hopper:horizon=30,data=random")
METHOD = registry.find("mopo")


def logs(tasks: int = TASKS) -> OfflineDataset:
    """Random actions on points with a goal each."""
    kept = Replay(EPISODES, 20, torch.zeros(tasks, dtype=torch.long))
    goals = {"goal": torch.arange(2.0 * tasks).view(tasks, 2)}
    for episode in range(EPISODES):
        env = Point(goals, 20, 1, stream("world"))
        policy = Random(env.spec, NoConfig())
        kept.add(
            torch.arange(tasks),
            rollout(policy, env, stream("act", episode), PolicyInputs(), keep_next_obs=True),
        )
    return OfflineDataset(kept, "")


def hops() -> OfflineDataset:
    """Random actions of a hopper, until it falls."""
    kept = Replay(EPISODES, HOPPER.horizon, torch.zeros(1, dtype=torch.long))
    for episode in range(EPISODES):
        env = make(HOPPER, sampling.sample_tasks(HOPPER, 1, stream("tasks")), stream("world", episode))
        policy = Random(env.spec, NoConfig())
        kept.add(
            torch.tensor([0]),
            rollout(policy, env, stream("act", episode), PolicyInputs(), keep_next_obs=True),
        )
    return OfflineDataset(kept, "", ends=ends_of(HOPPER))


def recipe(encoder: str = "oracle", seed: int = 0, **settings: Any) -> MOPO:
    return built(catalogue.task("point-robot:data=replay"), logs(), encoder, seed, **settings)


def built(card: TaskCard, source: OfflineDataset, encoder: str, seed: int = 0, **settings: Any) -> MOPO:
    few = dynamics_ensemble.Config(members=3, elites=2, hidden=(8,), epochs=2)
    config = mopo_training.Config(
        **{"model": few, "rollouts": 15, "horizon": 4, "rounds": 10, "keep": 2, "batch_tasks": 2, **settings}
    )
    parts = replace(tuning.settings_type(METHOD, encoder)(), recipe=config)
    agent = build.build_agent(METHOD, encoder, spec_of(card), parts, card, seed)
    return MOPO(agent, source, config, seed)


def imagine(mopo: MOPO) -> None:
    mopo.rollouts.generate(mopo._starts, mopo._penalty, mopo.streams["imagine"])


def saved(state: dict[str, Any]) -> dict[str, Any]:
    """Through a file, as a checkpoint goes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    found: dict[str, Any] = torch.load(buffer, weights_only=True)
    return found


def same(one: Any, other: Any) -> bool:
    """Down to the last bit, through what holds tensors."""
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else bool(one == other)


@pytest.mark.parametrize("after", [1, 3])
def test_a_run_that_was_stopped_ends_where_another_does(after: int) -> None:
    """Stopped before and after the room for rollouts is full."""
    straight = recipe()
    for _ in range(after):
        straight.iterate(0.0)
    halfway = saved(straight.state())
    resumed = recipe()
    resumed.load(halfway)
    for one in (straight, resumed):
        metrics = [one.iterate(0.5) for _ in range(2)]
        assert one.clock == 10 * (after + 2)
        assert all(value == value for value in metrics[-1].values())
    assert same(saved(straight.state()), saved(resumed.state()))
    assert not same(saved(straight.state()), halfway)


def test_the_model_is_fitted_once_and_stays() -> None:
    mopo = recipe()
    mopo.iterate(0.0)
    fitted = saved(mopo.rollouts.model.state_dict())
    assert fitted["errors"].isfinite().all()
    mopo.iterate(0.5)
    assert same(fitted, saved(mopo.rollouts.model.state_dict()))


def test_the_task_conditions_the_model_where_the_policy_observes_it() -> None:
    assert recipe("oracle").rollouts.model.net.weights[0].shape[1] == 6
    assert recipe("none").rollouts.model.net.weights[0].shape[1] == 4


def test_torchs_own_chance_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    mopo = recipe()
    mopo.iterate(0.0)
    assert torch.equal(before, torch.get_rng_state())
    one, other = (recipe(seed=seed).rollouts.model.net.weights[0] for seed in (0, 1))
    assert not torch.equal(one, other)


def test_rollouts_begin_in_their_own_tasks_logs_and_the_oldest_are_forgotten() -> None:
    mopo = recipe()
    mopo.rollouts.fit(stream("fit"))
    seen = {}
    for number in range(3):
        imagine(mopo)
        assert mopo.rollouts.buffer.num_trials.tolist() == [number + 1] * TASKS
        assert mopo.rollouts.buffer.lengths[:, min(number, 1)].tolist() == [5 * 4] * TASKS
        seen[number] = mopo.rollouts.buffer.data["obs"].clone()
    assert torch.equal(mopo.rollouts.buffer.tasks, mopo.replay.tasks)
    assert torch.equal(seen[2][:, 1], seen[1][:, 1])
    assert not torch.equal(seen[2][:, 0], seen[1][:, 0])
    begun = mopo.rollouts.buffer.data["obs"].view(TASKS, 2, 5, 4, 2)[:, :, :, 0]
    for task in range(TASKS):
        logged = mopo.replay.data["obs"][task].flatten(0, 1)
        assert all((logged == obs).all(1).any() for obs in begun[task].flatten(0, 1))
    after, then = (mopo.rollouts.buffer.data[name].view(TASKS, 2, 5, 4, 2) for name in ("next_obs", "obs"))
    assert torch.equal(after[..., :-1, :], then[..., 1:, :])


def test_lanes_of_a_task_are_laid_end_to_end() -> None:
    step = torch.arange(12.0).view(4, 3)
    no = torch.zeros(4, 3, dtype=torch.bool)
    task = torch.tensor([[7.0], [7.0], [8.0], [8.0]])
    trial = Trial(
        step[..., None], step[..., None], Outcome(step, no, no, no, ~no, no), task, 1, step[..., None]
    )
    joined = one_trial_a_task(trial, 2)
    assert joined.outcome.reward.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert joined.obs.shape == (2, 6, 1)
    assert joined.task.tolist() == [[7], [8]]


def test_only_steps_that_count_are_kept() -> None:
    """Of a task's two rollouts the first ends in its second step of three, and its third is none of it."""
    step = torch.arange(6.0).view(2, 3)
    no = torch.zeros(2, 3, dtype=torch.bool)
    ended, mask = no.clone(), ~no
    ended[0, 1], mask[0, 2] = True, False
    came = Outcome(step, ended, ended, no, mask, no)
    trial = Trial(step[..., None], step[..., None], came, torch.ones(2, 1), 1, step[..., None] + 0.5)
    kept = Replay(1, 6, torch.zeros(1, dtype=torch.long))
    kept.add(torch.tensor([0]), one_trial_a_task(trial, 1))
    assert kept.lengths.tolist() == [[5]]
    first = {name: kept.data[name][0, 0, :5].flatten().tolist() for name in ("obs", "reward", "next_obs")}
    assert first == {"obs": [0, 1, 3, 4, 5], "reward": [0, 1, 3, 4, 5], "next_obs": [0.5, 1.5, 3.5, 4.5, 5.5]}
    assert kept.data["terminated"][0, 0, :5].tolist() == [0, 1, 0, 0, 0]
    assert kept.sample_transitions(torch.tensor([0]), 500, stream("some")).reward.unique().tolist() == [
        0,
        1,
        3,
        4,
        5,
    ]


def test_a_hopper_is_imagined_until_it_falls_and_values_stop_there() -> None:
    mopo, fallen = built(HOPPER, hops(), "none"), ends_of(HOPPER)
    assert fallen
    for progress in (0.0, 0.5):
        assert all(isfinite(value) for value in mopo.iterate(progress).values())
    kept = mopo.rollouts.buffer.all_transitions()
    there = kept.mask > 0
    ended = kept.terminated[there].bool()
    assert 0 < ended.sum() < len(ended) < 2 * 15 * 4
    assert torch.equal(ended, fallen(kept.next_obs[there]))
    assert not fallen(kept.obs[there]).any()
    moves, _ = mopo.agent.encode_transitions(kept)
    assert torch.equal(moves.continues, 1 - kept.terminated)
    gone = replace(moves, next_z=torch.where(kept.terminated[..., None] > 0, 1000.0, moves.next_z))
    one, other = (mopo.agent.learner.losses(m, stream("loss"))["critic"] for m in (moves, gone))
    assert torch.equal(one, other)


def test_the_mean_model_reward_is_of_unmasked_steps() -> None:
    """The mean of a step's reward is of the steps that are kept."""
    mopo = built(HOPPER, hops(), "none", keep=1)
    said = mopo.iterate(0.0)["model_reward"]
    batch = mopo.rollouts.buffer.all_transitions()
    assert said == pytest.approx(batch.reward[batch.mask > 0].mean().item(), rel=1e-5)


def test_the_penalty_is_the_largest_length_of_any_members() -> None:
    mean = torch.tensor([[[0.0, 0.0]], [[0.0, 3.0]], [[0.0, 6.0]]])  # of three members; μ̄ is 3
    std = torch.tensor([[[3.0, 4.0]], [[0.0, 1.0]], [[4.0, 0.0]]])
    assert recipe(penalty=2.0)._penalty(mean, std).tolist() == [10]
    assert recipe(penalty=2.0, uncertainty="disagreement")._penalty(mean, std).tolist() == [6]
    assert recipe(penalty=0.0)._penalty(mean, std).tolist() == [0]


def test_without_a_penalty_imagined_rewards_are_as_predicted() -> None:
    """Of a model that is sure: its reward is then the mean that an elite says."""
    mopo = recipe(penalty=0.0, uncertainty="disagreement")
    with torch.no_grad():
        mopo.rollouts.model.highest.fill_(-40.0)
        mopo.rollouts.model.lowest.fill_(-60.0)
    mopo.rollouts.model.elites = mopo.rollouts.model.elites[:1]
    imagine(mopo)
    batch = mopo.rollouts.buffer.sample_transitions(torch.arange(TASKS), 30, stream("some"))
    flat = [batch.obs.flatten(0, 1), batch.action.flatten(0, 1), batch.task.repeat_interleave(30, 0)]
    mean, _ = mopo.rollouts.model.predict(*flat)
    torch.testing.assert_close(batch.training_reward.flatten(), mean[0, :, -1], atol=1e-5, rtol=0)
    torch.testing.assert_close(batch.next_obs.flatten(0, 1), mean[0, :, :-1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("real_share, batch", [(0.05, 16), (0.25, 16), (0.0, 4), (1.0, 4)])
def test_a_share_of_what_is_learned_from_was_lived(real_share: float, batch: int) -> None:
    mopo = recipe(real_share=real_share, batch=batch)
    imagine(mopo)
    mopo.rollouts.buffer.data["reward"].fill_(99.0)
    both = [mopo.transitions(torch.tensor([0, 2])) for _ in range(400)]
    assert all(batch_.reward.shape == (2, batch) for batch_ in both)
    share = torch.stack([(batch_.reward != 99).float().mean() for batch_ in both]).mean()
    assert abs(share.item() - real_share) < 0.008


@pytest.mark.parametrize("encoder", ["pearl", "rl2", "snail", "focal"])
def test_encoders_that_infer_tasks_are_refused(encoder: str) -> None:
    with pytest.raises(
        UsageError, match=f"'mopo' works with the encoders 'none' and 'oracle', not with '{encoder}'"
    ):
        make_request("mopo", "point-robot:data=replay", encoder)
    with pytest.raises(
        UsageError, match="'mopo-scratch' always uses encoder 'none'; to use encoder 'oracle', choose method"
    ):
        make_request("mopo", "point-robot:data=replay", "oracle", regime="scratch")


def test_worlds_are_refused_whose_ends_nothing_reads() -> None:
    for task in ("hopper", "hopper-rand-params", "walker-rand-params", "humanoid-dir", "half-cheetah"):
        assert make_request("mopo", f"{task}:data=replay").card.id == f"{task}-v1"
    for task in ("cartpole", "snail-maze"):
        with pytest.raises(UsageError, match=f"'{task}-v1' may end early, and observations do not tell when"):
            requirements.check_termination_known(METHOD, catalogue.task(task))
        requirements.check_termination_known(registry.find("iql"), catalogue.task(task))
    with pytest.raises(UsageError, match="does not run on tabular tasks"):
        make_request("mopo", "tabular-mdp:data=replay")


def test_parts_of_a_part_are_checked_as_parts_are() -> None:
    def chosen(**model: Any) -> Any:
        return tuning.settings_from(METHOD, "none", {"recipe": {"model": model}}, "here")

    assert chosen(members=3, hidden=[4, 4]).recipe.model == dynamics_ensemble.Config(members=3, hidden=(4, 4))
    with pytest.raises(CardError, match=r"unknown key 'recipe.model.member'; did you mean 'members'\?"):
        chosen(member=3)
    with pytest.raises(CardError, match=r"'recipe.model.members'.*not 'x'"):
        chosen(members="x")
    with pytest.raises(CardError, match=r"'recipe.model'"):
        tuning.settings_from(METHOD, "none", {"recipe": {"model": 3}}, "here")
    with pytest.raises(UsageError, match=r"recipe\.model\.members must be 1 or more, not 0"):
        requirements.check_counts(chosen(members=0))


def test_alone_it_has_a_model_of_its_own_task() -> None:
    assert registry.find("mopo", "scratch").adapt.config == mopo_training.Config(batch_tasks=1, batch=256)
    config = recipe().config
    card = catalogue.task("point-robot:data=replay")
    parts = replace(tuning.settings_type(METHOD, "none")(), recipe=config)
    agent = build.build_agent(METHOD, "none", spec_of(card), parts, card, 0)
    alone = MOPO(agent, logs().select(1), config, 0)
    alone.iterate(0.0)
    assert alone.rollouts.buffer.lengths.tolist() == [[15 * 4, 0]]
