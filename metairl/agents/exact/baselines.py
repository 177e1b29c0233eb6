"""Baselines that read nothing.

random    a ~ U{1, …, A},  or U[−1, 1]^A where actions are continuous
zero      a = 0,  or the first action where actions are discrete
"""

import torch
from torch import Generator, Tensor

from metairl.core.types import Context, NoConfig, Spec, State


class Random:
    def __init__(self, spec: Spec, config: NoConfig):
        self.spec = spec

    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        lanes, spec = len(context.obs), self.spec
        if spec.discrete:
            return torch.randint(spec.actions, (lanes,), generator=rng), state
        return 2 * torch.rand(lanes, spec.actions, generator=rng) - 1, state


class Zero(Random):
    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        lanes, spec = len(context.obs), self.spec
        if spec.discrete:
            return torch.zeros(lanes, dtype=torch.long), state
        return torch.zeros(lanes, spec.actions), state
