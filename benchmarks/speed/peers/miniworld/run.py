"""MiniWorld alone: first-person mazes stepped in one process, a picture of 40 × 30 from each.

1,024 of them need more than 40 GB, some 45 MB each, so there are 64. They are stepped one after another:
more of them would not be quicker.
"""

import json
import time

import gymnasium as gym
import pyglet

pyglet.options["headless"] = True
import miniworld  # noqa: E402, F401 - registers

LANES, STEPS = 64, 20


def maze() -> gym.Env:
    return gym.make("MiniWorld-MazeS3Fast-v0", obs_width=40, obs_height=30)


worlds = gym.vector.SyncVectorEnv([maze] * LANES)
worlds.reset(seed=0)
action = worlds.action_space.sample() % 3  # left, right, forward
worlds.step(action)
began = time.perf_counter()
for _ in range(STEPS):
    worlds.step(action)
print(json.dumps({"units": LANES * STEPS, "seconds": time.perf_counter() - began}))
