"""The task is told: the learner reads the observation and the task's own parameters.

    z_t = [o_t, c]

No adaptation is needed, so this row bounds what task inference can reach with the same learner.
"""

import torch
from torch import nn

from metairl.nn import Eyes
from metairl.types import Context, Encoding, NoConfig, Spec, State


class Oracle(nn.Module):
    sees_task = True
    reads = "step"
    parts = 4

    def __init__(self, spec: Spec, config: NoConfig):
        super().__init__()
        self.eyes = Eyes(spec)
        self.width = self.eyes.width + spec.params

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.task is not None, "the oracle reads the task"
        task = context.task.unsqueeze(1).expand(-1, context.obs.shape[1], -1)  # [B, T, P]
        return Encoding(torch.cat([self.eyes(context.obs), task], dim=-1), state, aux=task.new_zeros(()))
