"""imitation's BasicRewardTrainer on the pairs of DIR/pairs.npz: passes over them in batches of 32.

Its network reads state and action, two layers of 32, as its BasicRewardNet comes; AdamW's rate, 1e-3, is its
own.
The share of answers that it then foretells is left in DIR/peer.npz. Making the data set takes no part in the
time.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from imitation.algorithms.preference_comparisons import (
    BasicRewardTrainer,
    CrossEntropyRewardLoss,
    PreferenceDataset,
    PreferenceModel,
)
from imitation.data.types import TrajectoryWithRew
from imitation.rewards.reward_nets import BasicRewardNet


def train(folder: Path, passes: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = np.load(folder / "pairs.npz")
    obs, acts, first = given["obs"], given["acts"], given["first"]
    shown = [
        tuple(segment(*side) for side in zip(both, done, strict=True))
        for both, done in zip(obs, acts, strict=True)
    ]
    dataset = PreferenceDataset()
    dataset.push(shown, first.astype(np.float32))
    seen, done = (Box(-np.inf, np.inf, (values.shape[-1],)) for values in (obs, acts))
    model = PreferenceModel(BasicRewardNet(seen, done, hid_sizes=(32, 32)))
    rng = np.random.default_rng(0)
    trainer = BasicRewardTrainer(model, CrossEntropyRewardLoss(), rng, batch_size=32, epochs=passes)
    began = time.perf_counter()
    trainer.train(dataset)
    seconds = time.perf_counter() - began
    with torch.no_grad():
        chances, _ = model(shown)
    agreement = float(((chances.numpy() > 0.5) == (first > 0.5)).mean())
    np.savez(folder / "peer.npz", agreement=agreement)
    return {"units": passes * len(first), "seconds": seconds, "agreement": agreement}


def segment(obs: np.ndarray, acts: np.ndarray) -> TrajectoryWithRew:
    """What follows the last step is not read; rewards are asked for and not learned from."""
    after = np.concatenate([obs, obs[-1:]])
    return TrajectoryWithRew(after, acts, None, terminal=False, rews=np.zeros(len(acts)))
