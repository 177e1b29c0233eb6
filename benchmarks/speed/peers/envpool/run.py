"""EnvPool alone: 64 of its MuJoCo environments on two threads, random actions."""

import json
import sys
import time

import envpool
import numpy as np

LANES, STEPS = 64, 400

worlds = envpool.make(sys.argv[1], env_type="gymnasium", num_envs=LANES, num_threads=2)
worlds.reset()
actions = np.random.default_rng(0).uniform(-1, 1, (STEPS, LANES, *worlds.action_space.shape))
for action in actions[:50]:
    worlds.step(action)
began = time.perf_counter()
for action in actions:
    worlds.step(action)
print(json.dumps({"units": LANES * STEPS, "seconds": time.perf_counter() - began}))
