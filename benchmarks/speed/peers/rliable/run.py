"""rliable's stratified bootstrap of the interquartile mean: `run.py DIR REPETITIONS` reads DIR/scores.npy.

Scores are [seeds, tasks]. What it finds is left in DIR/peer.npz, to be compared. It draws from numpy's global
generator whatever it is told, so that is what is seeded.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from rliable import library, metrics

folder, repetitions = Path(sys.argv[1]), int(sys.argv[2])
scores = np.load(folder / "scores.npy")
np.random.seed(0)


def aggregate(x: np.ndarray) -> np.ndarray:
    return np.array([metrics.aggregate_iqm(x)])


began = time.perf_counter()
value, bounds = library.get_interval_estimates({"scores": scores}, aggregate, reps=repetitions)
seconds = time.perf_counter() - began
low, high = bounds["scores"][:, 0]
np.savez(folder / "peer.npz", value=value["scores"][0], low=low, high=high)
print(json.dumps({"units": 1, "seconds": seconds}))
