"""Every test acts on one thread: numbers repeat, and tests side by side do not fight for cores."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
os.environ["WANDB_MODE"] = "disabled"

import pytest
import torch

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    """How episodes of Meta-World begin is kept between test sessions, but not in the home folder."""
    if config.cache:
        os.environ.setdefault("METAIRL_CACHE", str(config.cache.mkdir("metairl")))
