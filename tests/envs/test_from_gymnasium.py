"""Gymnasium's environments as worlds: the values of stepping them by hand, whatever their autoreset mode."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from torch import Generator, Tensor

import metairl.envs.gymnasium  # noqa: F401 - registers the cards
from metairl.core.errors import UsageError
from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.core.types import Context, PolicyInputs, State
from metairl.envs.from_gymnasium import Foreign

LANES, SEED = 4, 3
MODES = list(AutoresetMode)

pytestmark = pytest.mark.filterwarnings("ignore:compiler attribute 'settotalmass'")  # of half_cheetah.xml


class Walk(gymnasium.Env[Any, Any]):
    """Right (6) or left (5) from 0; at 3 it has succeeded, at −3 it has not. Seen as a small picture."""

    observation_space = Box(-9, 9, (2, 2), np.float64)
    action_space: Any = Discrete(2, start=5)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.here, self.age = 0, 0
        return self.seen(), {}

    def step(self, action: int) -> Any:
        assert self.action_space.contains(action)
        self.here, self.age = self.here + (1 if action == 6 else -1), self.age + 1
        return self.seen(), 0.5, abs(self.here) == 3, False, {"is_success": self.here == 3}

    def seen(self) -> Any:
        return np.array([[self.here, self.age], [0, 1]], dtype=np.float64)


class Blind(Walk):
    observation_space: Any = Dict({"a": Box(0, 1, (1,))})


class Endless(Walk):
    action_space: Any = Box(-np.inf, np.inf, (1,))


def by_hand(make: Any, actions: Tensor) -> Iterator[tuple[Any, ...]]:
    """Single environments, each reset as soon as it ends: obs, reward, ends, success, last observation."""
    envs = [make() for _ in range(LANES)]
    for lane, gym_env in enumerate(envs):
        gym_env.reset(seed=SEED + lane)
        gym_env.reset()
    for action in actions.numpy():
        told = []
        for gym_env, does in zip(envs, action, strict=True):
            final, reward, terminated, truncated, info = gym_env.step(does)
            obs = gym_env.reset()[0] if terminated or truncated else final
            success = info.get("is_success", False)
            told.append((obs, reward, terminated, truncated and not terminated, success, final))
        yield tuple(np.stack(column) for column in zip(*told, strict=True))


def check(gym_env: VectorEnv, make: Any, actions: Tensor, does: Tensor, horizon: int | None = None) -> Any:
    """A world of `env` in which one acts is `make`'s environments in which one does. Returns what ended."""
    gym_env.reset(seed=SEED)
    env = Foreign(gym_env, horizon)
    env.reset()
    ends = torch.zeros(2, dtype=torch.bool)
    for action, wanted in zip(actions, by_hand(make, does), strict=True):
        step = env.step(action)
        got = (step.obs, step.reward, step.terminated, step.truncated, step.success, step.next_obs)
        for value, hand in zip(got, wanted, strict=True):
            hand = torch.from_numpy(hand.reshape(value.shape)).to(value.dtype)
            assert torch.equal(value, hand)
        assert step.obs.dtype == step.reward.dtype == step.next_obs.dtype == torch.float32
        ends |= torch.stack([step.terminated.any(), step.truncated.any()])
    gym_env.close()
    return tuple(ends.tolist())


def coins(steps: int) -> Tensor:
    return torch.randint(2, (steps, LANES), generator=stream("coins"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_world_is_its_environments_stepped_by_hand(mode: AutoresetMode, kind: str, cut: bool) -> None:
    limit = {} if cut else {"max_episode_steps": 14}
    gym_env = gymnasium.make_vec("CartPole-v1", LANES, kind, vector_kwargs={"autoreset_mode": mode}, **limit)
    make = partial(gymnasium.make, "CartPole-v1", max_episode_steps=14)
    assert check(gym_env, make, coins(80), coins(80), horizon=14 if cut else None) == (True, True)


def test_a_native_environment_that_restarts_in_the_same_step_is_a_world() -> None:
    settings = {"split": "test", "episodes": 1}
    gym_env = gymnasium.make_vec("metairl/point-robot-v1", LANES, **settings)
    gym_env.reset(seed=SEED)
    actions = torch.rand(50, LANES, 2, generator=stream("point"))
    env, steps = Foreign(gym_env, 20), []
    env.reset()
    for action in actions:
        steps.append(env.step(action))
    assert [t for t, step in enumerate(steps) if step.truncated.all()] == [19, 39]
    assert torch.equal(steps[19].obs, torch.zeros(LANES, 2))
    torch.testing.assert_close(steps[19].next_obs, 0.1 * actions[:20].sum(0))


@pytest.mark.parametrize("id, reach, limit", [("HalfCheetah-v5", 1.0, 6), ("Pendulum-v1", 2.0, 8)])
def test_continuous_actions_are_stretched_to_their_bounds(id: str, reach: float, limit: int) -> None:
    make = partial(gymnasium.make, id, max_episode_steps=limit)
    gym_env = gymnasium.make_vec(id, LANES, "sync", max_episode_steps=limit)
    actions = 3 * torch.rand(20, LANES, *gym_env.single_action_space.shape, generator=stream("box")) - 1.5
    assert check(gym_env, make, actions, reach * actions.clamp(-1, 1)) == (False, True)


@pytest.mark.parametrize("mode", MODES)
def test_success_is_that_of_the_episode_that_ended(mode: AutoresetMode) -> None:
    gym_env = SyncVectorEnv([Walk] * LANES, autoreset_mode=mode)
    actions = coins(60)
    assert check(gym_env, Walk, actions, actions + 5, horizon=1000) == (True, False)


def test_a_policy_rolls_out_in_it() -> None:
    gym_env = gymnasium.make_vec("CartPole-v1", LANES, "sync", max_episode_steps=30)
    gym_env.reset(seed=SEED)
    env = Foreign(gym_env, episodes=2)
    trial = rollout(Coins(), env, stream("rollout"), PolicyInputs())
    outcome = trial.outcome
    assert trial.obs.shape[2] == 4 and trial.task.shape == (LANES, 0)
    assert (outcome.done & outcome.mask).sum(1).tolist() == [2] * LANES
    assert torch.equal(
        outcome.reward, torch.ones_like(outcome.reward)
    )  # a step that ignored its action has 0


class Coins:
    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        return torch.randint(2, (len(context.obs),), generator=rng), state


def test_what_cannot_be_a_world_is_one_line() -> None:
    trials = gymnasium.make_vec("metairl/point-robot-v1", LANES)
    silent = SyncVectorEnv([Walk])
    del silent.metadata["autoreset_mode"]
    sync = SyncVectorEnv
    refused = [
        (gymnasium.make_vec("CartPole-v1", LANES), None, "restarts one step late.*vectorization_mode='sync'"),
        (gymnasium.make_vec("CartPole-v1", LANES, "sync"), 501, "end after 500 steps; .* cannot be 501"),
        (trials, None, "no max_episode_steps; give a horizon"),
        (silent, 5, "does not say how lanes restart"),
        (sync([Blind]), 5, "observations must be a Box"),
        (sync([Endless]), 5, "actions must be Discrete or a bounded Box"),
    ]
    for gym_env, horizon, fault in refused:
        with pytest.raises(UsageError, match=fault):
            Foreign(gym_env, horizon)
    env = Foreign(trials, 1)
    env.reset()
    with pytest.raises(UsageError, match="outlasts the horizon, 1"):
        env.step(torch.zeros(LANES, 2))
