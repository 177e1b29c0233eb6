"""imitation's GAIL with Stable-Baselines3's PPO on CartPole-v1, until it keeps 90 % of the expert's return.

Its settings are those of the package's own tutorial, eight worlds side by side; as there is only one kind of
CartPole here, whose episodes end early, it is told that it may be so. Judging takes no part in the time.
"""

import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from imitation.algorithms.adversarial.gail import GAIL
from imitation.data.types import Trajectory
from imitation.data.wrappers import RolloutInfoWrapper
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.util.networks import RunningNorm
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

ENOUGH, EPISODES, CHUNK, MOST = 450.0, 20, 16_384, 800_000


def train(folder: Path, seed: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    given = np.load(folder / "demonstrations.npz")
    shown = [
        Trajectory(obs, acts, None, terminal=False)
        for obs, acts in zip(given["obs"], given["acts"], strict=True)
    ]
    worlds = DummyVecEnv([lambda: RolloutInfoWrapper(gymnasium.make("CartPole-v1")) for _ in range(8)])
    worlds.seed(seed)
    learner = PPO(
        "MlpPolicy",
        worlds,
        batch_size=64,
        ent_coef=0.0,
        learning_rate=0.0004,
        gamma=0.95,
        n_epochs=5,
        seed=seed,
    )
    reward = BasicRewardNet(worlds.observation_space, worlds.action_space, normalize_input_layer=RunningNorm)
    gail = GAIL(
        demonstrations=shown,
        demo_batch_size=1024,
        gen_replay_buffer_capacity=512,
        n_disc_updates_per_round=8,
        venv=worlds,
        gen_algo=learner,
        reward_net=reward,
        allow_variable_horizon=True,
    )
    judged = DummyVecEnv([lambda: gymnasium.make("CartPole-v1") for _ in range(8)])
    judged.seed(seed + 1000)
    seconds, steps, found = 0.0, 0, 0.0
    while found < ENOUGH and steps < MOST:
        began = time.perf_counter()
        gail.train(CHUNK)
        seconds += time.perf_counter() - began
        steps += CHUNK
        found = float(evaluate_policy(learner, judged, EPISODES)[0])
    return {"units": 1, "seconds": seconds, "steps": steps, "return": found}
