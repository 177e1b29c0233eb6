"""Every test acts on one thread: numbers repeat, and tests side by side do not fight for cores."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
os.environ["WANDB_MODE"] = "disabled"

import torch

torch.set_num_threads(1)
