"""CARE: the observed task selects among shared representations (Sodhani et al. 2021, arXiv:2102.06177).

    e     = W c
    α     = softmax(f_α(e)),    h = Σ_k α_k f_k([o, e])
    z_t   = [h, e]

Tasks that are alike share what they read the observation with, and others do not get in its way. With as
many f_k as tasks, and an α that singles one out, every task has a body of its own.

Departures: c are the task's own parameters, not a sentence about it; f_k reads e beside o, since some worlds
have nothing to observe; gradients of α reach W.
"""

from dataclasses import dataclass

import torch
from torch import nn

from metairl.core.networks import ObservationEncoder, ParallelMLPs, linear, mlp
from metairl.core.types import Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    members: int = 6  # K
    hidden: tuple[int, ...] = (64,)  # of f_k and f_α
    width: int = 64  # of h
    embed: int = 32  # of e


class Care(nn.Module):
    sees_task = True
    context_kind = "step"
    length_buckets = 4

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.obs_encoder = ObservationEncoder(spec)
        self.embedding = linear(spec.params, config.embed, gain=1.0)
        self.attention = mlp(config.embed, *config.hidden, config.members, last_gain=1.0)
        self.members = ParallelMLPs(
            config.members, self.obs_encoder.width + config.embed, *config.hidden, config.width
        )
        self.width = config.width + config.embed

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.task is not None, "it reads the task"
        task = self.embedding(context.task)  # [B, E]
        share = self.attention(task).softmax(-1)  # [B, K]
        task = task.unsqueeze(1).expand(-1, context.obs.shape[1], -1)
        seen = torch.cat([self.obs_encoder(context.obs), task], dim=-1)
        read = torch.einsum("bk,kbtz->btz", share, self.members(seen))
        return Encoding(torch.cat([read, task], dim=-1), state, aux=task.new_zeros(()))
