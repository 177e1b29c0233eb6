"""Nothing is done.

a = 0, or the first action where actions are discrete
"""

import torch
from torch import Generator, Tensor

from metairl.core.types import Context, NoConfig, Spec, State


class Zero:
    def __init__(self, spec: Spec, config: NoConfig):
        self.spec = spec

    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        lanes, spec = len(context.obs), self.spec
        if spec.discrete:
            return torch.zeros(lanes, dtype=torch.long), state
        return torch.zeros(lanes, spec.actions), state
