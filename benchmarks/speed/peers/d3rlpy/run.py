"""Gradient steps of d3rlpy's IQL or CQL (`run.py iql`) on random episodes of half-cheetah's shapes.

A step is what its own loop does for one: a batch from its replay buffer, then the update. Equal to ours are
batch 256, layers 2 × 256 of every network, two critics; for CQL ten actions of each kind, a weight of 5 that
stays (no Lagrange on either side), a target without entropy. Different: its target takes the policy's mode.
"""

import json
import sys
import time

import d3rlpy
import numpy as np
import torch
from d3rlpy.algos import CQLConfig, IQLConfig
from d3rlpy.models import VectorEncoderFactory

EPISODES, HORIZON, OBS, ACTIONS, BATCH = 100, 1000, 17, 6, 256
WARM = 10

torch.set_num_threads(2)
chance = np.random.default_rng(0)
steps = EPISODES * HORIZON
last = np.arange(1, steps + 1) % HORIZON == 0
logs = d3rlpy.dataset.MDPDataset(
    observations=chance.standard_normal((steps, OBS), dtype=np.float32),
    actions=chance.uniform(-1, 1, (steps, ACTIONS)).astype(np.float32),
    rewards=chance.standard_normal(steps, dtype=np.float32),
    terminals=np.zeros(steps, dtype=np.float32),
    timeouts=last.astype(np.float32),
)
layers = VectorEncoderFactory([256, 256])
nets = {"batch_size": BATCH, "actor_encoder_factory": layers, "critic_encoder_factory": layers}
config, count = {
    "iql": (IQLConfig(value_encoder_factory=layers, **nets), 200),
    "cql": (CQLConfig(n_action_samples=10, conservative_weight=5.0, alpha_learning_rate=0.0, **nets), 50),
}[sys.argv[1]]
learner = config.create(device="cpu:0")
learner.build_with_dataset(logs)


def improve(rounds: int) -> None:
    for _ in range(rounds):
        learner.update(logs.sample_transition_batch(BATCH))


improve(WARM)
began = time.perf_counter()
improve(count)
print(json.dumps({"units": count, "seconds": time.perf_counter() - began}))
