"""MiniGrid alone: 1,024 four-room mazes stepped in one process, each one's 7 × 7 view returned."""

import json
import time

import gymnasium as gym
import minigrid  # noqa: F401 - registers
from minigrid.wrappers import ImgObsWrapper

LANES, STEPS = 1024, 20

worlds = gym.vector.SyncVectorEnv([lambda: ImgObsWrapper(gym.make("MiniGrid-FourRooms-v0"))] * LANES)
worlds.reset(seed=0)
action = worlds.action_space.sample() % 3  # left, right, forward
worlds.step(action)
began = time.perf_counter()
for _ in range(STEPS):
    worlds.step(action)
print(json.dumps({"units": LANES * STEPS, "seconds": time.perf_counter() - began}))
