"""Cards as Gymnasium environments: Gymnasium's own check, and the same numbers as the world's."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from torch import Tensor

from metairl.core.errors import UsageError
from metairl.envs.gymnasium import TrialEnv
from metairl.tasks import catalogue, sampling

pytestmark = pytest.mark.filterwarnings("ignore:compiler attribute 'settotalmass'")  # of half_cheetah.xml


@pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")  # worlds state no bounds
@pytest.mark.parametrize("name", catalogue.task_ids())
@pytest.mark.parametrize("split", ["train", "test"])
def test_gymnasium_accepts_every_card(name: str, split: str) -> None:
    env = gymnasium.make(f"metairl/{name}", split=split)
    check_env(env.unwrapped, skip_render_check=True)


def test_a_trial_has_its_episodes_and_one_task() -> None:
    env = gymnasium.make("metairl/tabular-mdp-v1", split="validation", episodes=3)
    env.reset(seed=1, options={"task": 7})
    assert isinstance(env.unwrapped, TrialEnv)
    assert torch.equal(env.unwrapped.env.task[0], validation_task(7))
    ends, truncated = [], False
    while not truncated:
        _, _, terminated, truncated, info = env.step(0)
        ends.append(info["episode_done"])
        assert not terminated
    assert len(ends) == 30 and [i for i, end in enumerate(ends) if end] == [9, 19, 29]


def test_between_episodes_one_sees_the_next_and_at_the_end_where_the_last_step_led() -> None:
    env = gymnasium.make("metairl/point-robot-v1")
    env.reset(seed=0)
    seen = np.stack([env.step(np.array([1.0, 0.5], dtype=np.float32))[0] for _ in range(40)])
    assert seen[19].tolist() == [0, 0]  # the second episode's start
    np.testing.assert_allclose(seen[39], [2.0, 1.0], rtol=1e-5)


def validation_task(index: int) -> Tensor:
    tasks = sampling.task_set(catalogue.task("tabular-mdp"), "validation")[slice(index, index + 1)]
    return torch.cat([values.flatten() for values in tasks.values()])


def test_a_seed_repeats_and_resets_change_the_task() -> None:
    env = gymnasium.make("metairl/bandit-5-v1", pulls=100)

    def rewards(seed: int | None) -> list[float]:
        env.reset(seed=seed)
        return [float(env.step(i % 5)[1]) for i in range(100)]

    first, second = rewards(3), rewards(None)
    assert rewards(3) == first
    assert first != second
    assert 0.1 < np.mean(first + second) < 0.9


def test_a_training_task_cannot_be_asked_for() -> None:
    env = gymnasium.make("metairl/bandit-5-v1")
    with pytest.raises(UsageError, match="drawn anew"):
        env.reset(options={"task": 3})


@pytest.mark.parametrize("index", [-1, 300])
def test_a_held_out_task_that_is_not_there_is_named(index: int) -> None:
    env = gymnasium.make("metairl/tabular-mdp-v1", split="validation")
    with pytest.raises(UsageError, match=f"validation tasks are 0 to 299, not {index}"):
        env.reset(options={"task": index})
