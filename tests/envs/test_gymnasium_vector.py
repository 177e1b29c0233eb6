"""Cards as vector environments: the numbers of single ones, told as Gymnasium's own SyncVectorEnv does."""

from itertools import count
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

import metairl.envs.gymnasium  # noqa: F401 - registers the cards
from metairl.core.errors import UsageError
from metairl.envs.gymnasium import Trials
from metairl.envs.gymnasium_vector import TrialVectorEnv
from metairl.tasks import catalogue, sampling

ONE_OF_EVERY_WORLD = {catalogue.task(id).world: id for id in catalogue.task_ids()}
LANES = 6

pytestmark = pytest.mark.filterwarnings("ignore:compiler attribute 'settotalmass'")  # of half_cheetah.xml


def make_vec(task: str, lanes: int = LANES, **settings: Any) -> TrialVectorEnv:
    env = gymnasium.make_vec(f"metairl/{task}-v1", num_envs=lanes, **settings)
    assert isinstance(env, TrialVectorEnv)
    return env


def lived(env: VectorEnv, steps: int, seed: Any = 0, options: dict[str, Any] | None = None) -> list[Any]:
    """Everything that an environment tells while it is acted in at random."""
    env.action_space.seed(5)
    told = [env.reset(seed=seed, options=options)]
    return told + [env.step(env.action_space.sample()) for _ in range(steps)]


@pytest.mark.parametrize("id", ONE_OF_EVERY_WORLD.values())
def test_lanes_are_those_of_one_world(id: str) -> None:
    env = make_vec(id.removesuffix("-v1"))
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    obs, _ = env.reset(seed=1)
    assert env.env.lanes == LANES and env.observation_space.contains(obs)
    assert len(env.env.task.unique(dim=0)) > 1 or catalogue.task(id).split.train == 1
    obs, reward, *ends, _ = env.step(env.action_space.sample())
    assert env.observation_space.contains(obs)
    assert reward.shape == (LANES,) and reward.dtype == np.float64
    assert [(end.shape, end.dtype) for end in ends] == [((LANES,), np.bool_)] * 2


@pytest.mark.parametrize(
    "task, horizon, steps",
    [
        ("snail-maze-grid", 60, 300),
        ("snail-maze", 8, 40),
        ("point-robot", 20, 90),
        ("point-robot-sparse", 20, 90),
    ],
)
def test_where_nothing_is_random_it_tells_what_single_environments_tell(
    task: str, horizon: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = catalogue.task(task).model_copy(update={"horizon": horizon})
    monkeypatch.setattr(catalogue, "task", lambda asked: card)

    def told(mode: str, **vector: Any) -> list[Any]:
        turn = count()
        monkeypatch.setattr(Trials, "choose", lambda self, n, *_: [next(turn) % 100 for _ in range(n)])
        env = gymnasium.make_vec(f"metairl/{task}-v1", LANES, mode, split="test", **vector)
        return lived(env, steps)

    ours = told("vector_entry_point")
    wanted = told("sync", vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP})
    ends = [step[3] for step in ours[1:]]
    assert sum(over.any() for over in ends) > 1
    if task == "snail-maze-grid":
        assert any(over.any() and not over.all() for over in ends)
    for ours_then, wanted_then in zip(ours, wanted, strict=True):
        assert_told_alike(ours_then, wanted_then)


def assert_told_alike(ours: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        assert ours.keys() == wanted.keys()
        for name, value in wanted.items():
            assert_told_alike(ours[name], value)
    elif isinstance(wanted, tuple) or (isinstance(wanted, np.ndarray) and wanted.dtype == object):
        assert len(ours) == len(wanted)
        for one, other in zip(ours, wanted, strict=True):
            assert_told_alike(one, other)
    elif wanted is None:
        assert ours is None
    else:
        assert ours.dtype == wanted.dtype
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize(
    "task, split, settings",
    [
        ("bandit-5", "train", {"pulls": 7}),
        ("tabular-mdp", "validation", {"episodes": 3}),
        ("point-robot", "train", {}),
    ],
)
def test_a_single_lane_is_the_single_environment(task: str, split: str, settings: dict[str, int]) -> None:
    alone = gymnasium.make(f"metairl/{task}-v1", split=split, **settings)
    env = make_vec(task, 1, split=split, **settings)
    env.action_space.seed(2)
    wanted, _ = alone.reset(seed=11)
    obs, _ = env.reset(seed=11)
    for _ in range(100):
        np.testing.assert_array_equal(obs[0], wanted)
        action = env.action_space.sample()
        wanted, reward, _, over, _ = alone.step(action[0])
        if over:
            wanted, _ = alone.reset()
        obs, rewards, _, ends, _ = env.step(action)
        assert (rewards[0], ends[0]) == (reward, over)


@pytest.mark.parametrize("seeds", [(3, 4), (list(range(LANES)), list(range(1, LANES + 1)))])
def test_a_seed_repeats_every_lane_and_another_does_not(seeds: tuple[Any, Any]) -> None:
    env = make_vec("hopper-rand-params")
    first, again, other = (lived(env, 80, seed) for seed in (seeds[0], *seeds))
    assert any(step[3].any() for step in first[1:])  # past the first trials
    for one, same in zip(first, again, strict=True):
        assert_told_alike(one, same)
    assert not np.array_equal(first[0][0], other[0][0])


@pytest.mark.parametrize(
    "seed, fault", [([1, 2], "6 lanes, but 2 seeds"), ([1, 2, 3, 4, 5, None], "every lane")]
)
def test_seeds_that_lanes_cannot_share_are_refused(seed: list[int | None], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        make_vec("bandit-5").reset(seed=seed)


@pytest.mark.parametrize(
    "task, steps", [("half-cheetah-vel", 5), ("hopper-rand-params", 80), ("bandit-5", 25)]
)
def test_a_lanes_task_changes_where_it_says_so_and_nowhere_else(task: str, steps: int) -> None:
    env = make_vec(task, **({"episodes": 1} if task != "bandit-5" else {}))
    env.trials.card = env.trials.card.model_copy(update={"horizon": min(10, env.trials.card.horizon)})
    env.reset(seed=0)
    ended = 0
    for _ in range(max(steps, 25)):
        before = env.env.task.clone()
        *_, over, infos = env.step(env.action_space.sample())
        changed = (env.env.task != before).any(1).numpy()
        np.testing.assert_array_equal(changed, over)
        np.testing.assert_array_equal(infos["new_task"], over)
        assert ("final_obs" in infos) == over.any()
        ended += over.sum()
    assert ended >= LANES


def test_held_out_tasks_may_be_asked_for() -> None:
    env = make_vec("half-cheetah-vel", 3, split="test")
    asked = [7, 0, 99]
    _, infos = env.reset(options={"tasks": asked})
    wanted = sampling.task_set(catalogue.task("half-cheetah-vel"), "test")[torch.tensor(asked)]
    assert torch.equal(env.env.task, wanted["velocity"].float())
    assert infos["task"].tolist() == asked


@pytest.mark.parametrize(
    "split, options, fault",
    [
        ("test", {"tasks": [1, 2]}, "6 lanes, but 2 tasks"),
        ("test", {"tasks": [0, 1, 2, 3, 4, 100]}, "test tasks are 0 to 99, not 100"),
        ("train", {"tasks": [0] * LANES}, "drawn anew"),
        ("test", {"task": 1}, "no option 'task'; valid: tasks"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(split: str, options: dict[str, Any], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        make_vec("point-robot", split=split).reset(options=options)


def test_gymnasiums_wrappers_count_whole_trials() -> None:
    env = RecordEpisodeStatistics(make_vec("hopper-rand-params"))
    env.reset(seed=0)
    env.action_space.seed(0)
    returns, lengths, ended = np.zeros(LANES), np.zeros(LANES), 0
    for _ in range(100):
        _, reward, _, over, infos = env.step(env.action_space.sample())
        returns, lengths = returns + reward, lengths + 1
        if over.any():
            np.testing.assert_allclose(infos["episode"]["r"][over], returns[over])
            np.testing.assert_array_equal(infos["episode"]["l"][over], lengths[over])
            returns[over], lengths[over], ended = 0, 0, ended + over.sum()
    assert ended


def test_gymnasiums_wrappers_turn_infos_into_lists() -> None:
    lists = DictInfoToList(make_vec("bandit-5", pulls=1))
    lists.reset(seed=0)
    *_, infos = lists.step(np.zeros(LANES, dtype=np.int64))
    assert [info["final_info"]["episode_done"] for info in infos] == [True] * LANES


def test_what_was_handed_out_is_not_written_to_later() -> None:
    for task in ("bandit-5", "point-robot", "snail-maze-grid", "half-cheetah-vel"):
        env = make_vec(task)
        told = lived(env, 1)[-1]
        kept = [np.copy(value) for value in (*told[:4], told[4]["episode_index"])]
        for _ in range(25):
            env.step(env.action_space.sample())
        for value, then in zip((*told[:4], told[4]["episode_index"]), kept, strict=True):
            np.testing.assert_array_equal(value, then)


def test_gymnasiums_own_vector_environment_takes_the_single_ones_too() -> None:
    env = gymnasium.make_vec("metairl/bandit-5-v1", 2, "sync")
    assert isinstance(env, SyncVectorEnv)
