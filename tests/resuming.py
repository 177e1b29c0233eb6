"""What tests of resuming share: networks as they were, and what a checkpoint would bring back."""

import io

import torch
from torch import Tensor


def saved(state: dict[str, object]) -> object:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


def snapshot(networks: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in networks.items()}
