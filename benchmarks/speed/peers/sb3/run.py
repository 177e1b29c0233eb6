"""Stable-Baselines3's SAC on Gymnasium's half-cheetah, a gradient step of 256 transitions for every step."""

import json
import time

import gymnasium
import torch
from stable_baselines3 import SAC

WARM, STEPS = 400, 1000

torch.set_num_threads(2)
world = gymnasium.make("HalfCheetah-v5", max_episode_steps=200)
learner = SAC(
    "MlpPolicy",
    world,
    batch_size=256,
    learning_starts=200,
    buffer_size=100_000,
    device="cpu",
    seed=0,
    policy_kwargs={"net_arch": [256, 256]},
)
learner.learn(WARM)
began = time.perf_counter()
learner.learn(STEPS, reset_num_timesteps=False)
print(json.dumps({"units": STEPS, "seconds": time.perf_counter() - began}))
