"""The batched bandit world against the same bandit as 4,096 Gymnasium environments stepped in one process."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from conftest import Note, side_by_side
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.core.rng import stream
from metairl.envs.bandit import Bandit

LANES, ARMS, PULLS = 4096, 5, 10


class OneBandit(gym.Env[np.ndarray, np.int64]):
    observation_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Discrete(ARMS)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.arms, self.pulls = self.np_random.random(ARMS), 0
        return np.zeros(1, np.float32), {}

    def step(self, action: np.int64) -> Any:
        self.pulls += 1
        reward = float(self.np_random.random() < self.arms[action])
        return np.zeros(1, np.float32), reward, False, self.pulls == PULLS, {}


def test_bandit_world(benchmark: BenchmarkFixture, note: Note) -> None:
    env = Bandit({"arm_means": torch.rand(LANES, ARMS)}, PULLS, 1, stream("bench"))
    peer = gym.vector.SyncVectorEnv([OneBandit for _ in range(LANES)])
    peer.reset(seed=0)
    action = torch.randint(ARMS, (LANES,))

    def ours(steps: int = 1000) -> int:
        for _ in range(steps):
            env.step(action)
        return steps * LANES

    def theirs(steps: int = 10) -> int:
        for _ in range(steps):
            peer.step(action.numpy())
        return steps * LANES

    rates = side_by_side(ours, theirs, rounds=5)
    benchmark.pedantic(ours, rounds=1)
    assert note("bandit world / SyncVectorEnv, 4096 lanes", *rates, goal=100, unit="steps/s") >= 100
