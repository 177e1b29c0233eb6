"""The expert of the point environments, which observes the goal: straight there, and stay.

a = (goal − p) / 0.1, no component beyond 1
"""

import torch
from torch import Generator, Tensor

from metairl.core.types import Context, NoConfig, Spec, State

STRIDE = 0.1  # how far an action of 1 moves the point


class Straight:
    def __init__(self, spec: Spec, config: NoConfig): ...

    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        assert context.task is not None, "an expert observes the goal"
        way = (context.task - context.obs[:, 0]) / STRIDE
        return way / torch.linalg.vector_norm(way, float("inf"), dim=1, keepdim=True).clamp(min=1), state
