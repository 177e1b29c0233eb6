"""The classics of discrete control step as Gymnasium's do."""

import gymnasium
import numpy as np
import pytest
import torch

from metairl.envs import make
from metairl.tasks.catalogue import task
from metairl.tasks.sampling import task_set


@pytest.mark.parametrize(("card", "theirs"), [("cartpole", "CartPole-v1"), ("acrobot", "Acrobot-v1")])
def test_steps_as_gymnasium(card: str, theirs: str) -> None:
    env = make(task(card), task_set(task(card), "test")[:], torch.Generator().manual_seed(0))
    gym_env, rng = gymnasium.make(theirs).unwrapped, np.random.default_rng(0)
    seen = env.reset()
    assert env.spec.obs == gym_env.observation_space.shape[0] and env.spec.actions == gym_env.action_space.n
    for _ in range(120):
        before = env.state.clone()
        actions = torch.from_numpy(rng.integers(0, env.spec.actions, env.lanes))
        step = env.step(actions)
        for lane in (0, 7):
            gym_env.reset()
            gym_env.state = before[lane].numpy().copy()
            obs, reward, terminated, _, _ = gym_env.step(int(actions[lane]))
            assert step.next_obs[lane].numpy() == pytest.approx(obs, abs=1e-5)
            assert step.reward[lane] == reward and step.terminated[lane] == terminated
        seen = step.obs
    assert seen.isfinite().all()


def test_a_lane_begins_anew_in_the_step_that_ends_its_episode() -> None:
    env = make(task("cartpole"), task_set(task("cartpole"), "test")[:], torch.Generator().manual_seed(0))
    env.reset()
    push = torch.ones(env.lanes, dtype=torch.int64)
    steps = [env.step(push) for _ in range(12)]
    ended = torch.stack([step.terminated for step in steps])
    assert ended.any(0).all(), "pushed to one side for long enough"
    first = ended.long().argmax(0)
    lanes = torch.arange(env.lanes)
    obs = torch.stack([step.obs for step in steps])[first, lanes]
    final = torch.stack([step.next_obs for step in steps])[first, lanes]
    assert (obs.abs() <= 0.05).all() and (final[:, 2].abs() > 12 * torch.pi / 180).all()


def test_a_long_episode_is_cut_and_not_ended() -> None:
    card = task("acrobot:horizon=30")
    env = make(card, task_set(card, "validation")[:], torch.Generator().manual_seed(0))
    env.reset()
    idle = torch.ones(env.lanes, dtype=torch.int64)
    steps = [env.step(idle) for _ in range(30)]
    assert steps[-1].truncated.all() and not steps[-1].terminated.any()
    assert all((step.reward == -1).all() for step in steps)
