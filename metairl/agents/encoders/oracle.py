"""The oracle: the learner reads the observation and the task's parameters.

    z_t = [o_t, c],  or [o_t, W c] where the task is embedded

No adaptation is needed, so this row bounds what task inference can reach with the same learner.
"""

from dataclasses import dataclass

import torch
from torch import nn

from metairl.core.networks import ObservationEncoder, linear
from metairl.core.types import Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    embed: int = 0  # size of a learned embedding of the task; 0: its parameters as they are


class Oracle(nn.Module):
    sees_task = True
    context_kind = "step"
    length_buckets = 4

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.obs_encoder = ObservationEncoder(spec)
        self.embedding = linear(spec.params, config.embed, gain=1.0) if config.embed else nn.Identity()
        self.width = self.obs_encoder.width + (config.embed or spec.params)

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.task is not None, "the oracle reads the task"
        task = self.embedding(context.task).unsqueeze(1).expand(-1, context.obs.shape[1], -1)  # [B, T, P]
        return Encoding(
            torch.cat([self.obs_encoder(context.obs), task], dim=-1), state, aux=task.new_zeros(())
        )
