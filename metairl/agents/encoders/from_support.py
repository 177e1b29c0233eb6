"""A sequence encoder that reads support before a trial, where tasks are inferred from logs.

    h = z_{T+1} of the encoder over the T steps of support, begun with empty memory
    z_t = [o_t, h],  h held all the while

The last transition is read too, as what the step after it would know.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from metairl.core.types import Batch, Context, Encoding, Spec, State


class SupportEncoder(nn.Module):
    context_kind = "set"
    reads_in_order = True

    def __init__(self, kind: Any, spec: Spec, config: Any, steps: int):
        """Over an encoder of a kind, for support of at most so many steps."""
        super().__init__()
        self.inner = kind(replace(spec, horizon=steps + 1, episodes=1), config)
        self.sees_task, self.length_buckets = kind.sees_task, self.inner.length_buckets
        self.width = self.inner.obs_encoder.width + self.inner.width  # Z

    def initial(self, lanes: int) -> State:
        raise NotImplementedError("conditioned on support before it acts, not on its own history")

    def forward(self, context: Context, state: State) -> Encoding:
        raise NotImplementedError("conditioned on support before it acts, not on its own history")

    def infer_posterior(self, context: Batch) -> tuple[Tensor, Tensor]:
        """h of consecutive transitions a task, [B, Z], and the encoder's own loss."""
        known = Context(
            obs=torch.cat([context.obs, context.next_obs[:, -1:]], dim=1),
            prev_action=_late(context.action),
            prev_reward=_late(context.reward),
            prev_done=_late(context.done),
        )
        encoding = self.inner(known, self.inner.initial(len(context.obs)))
        last = context.mask.sum(1).long()
        return encoding.z[torch.arange(len(last)), last], encoding.aux

    def condition(self, posterior: Tensor, obs: Tensor, noise: Tensor | None) -> Tensor:
        seen = self.inner.obs_encoder(obs)
        return torch.cat([seen, posterior.unsqueeze(1).expand(-1, obs.shape[1], -1)], dim=-1)


def _late(x: Tensor) -> Tensor:
    """One step later, with nothing before the first."""
    return torch.cat([torch.zeros_like(x[:, :1]), x], dim=1)
