"""FOCAL: task embeddings by distance (Li et al. 2021, arXiv:2010.01112).

    e_n = f(o_n, a_n, r_n),   e = Σ_n e_n / n                                   of any transitions
    z_t = [o_t, e]
    L   = w (mean_i √(d(e_i, e′_i) + ε) + mean_{i≠j} 1 / (d(e_i, e′_j) + δ)),  d the mean square difference

e and e′ come from the two halves of what is known of a task, so that every task is near to itself in every
step. The learner's losses do not reach f.

Departures: the released code draws the tasks of a step without replacement, so that no task meets itself and
only the second term ever counts; here both do. Memory is (Σ e_n, n): a trial is read step by step too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metairl.core.networks import ObservationEncoder, mlp
from metairl.core.types import Batch, Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    latent: int = 5  # size of e; the paper has 20
    hidden: tuple[int, ...] = (200, 200, 200)  # layers of f
    weight: float = 1.0  # w
    near: float = 1e-3  # ε
    far: float = 0.1  # δ


class Focal(nn.Module):
    sees_task = False
    context_kind = "set"
    reads_in_order = False
    length_buckets = 4

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.config = config
        self.obs_encoder = ObservationEncoder(spec)
        self.width = self.obs_encoder.width + config.latent  # Z
        self.embed = mlp(
            self.obs_encoder.width + spec.actions + 1, *config.hidden, config.latent, last_gain=1.0
        )

    def initial(self, lanes: int) -> State:
        """Σ e_n, n, the observation before, whether there was one."""
        sums, count = torch.zeros(lanes, self.config.latent), torch.zeros(lanes, 1)
        return sums, count, torch.zeros(lanes, self.obs_encoder.width), torch.zeros(lanes, 1)

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.prev_reward is not None, "FOCAL reads the reward"
        total, count, before, since = state
        obs = self.obs_encoder(context.obs)
        seen = torch.cat([before.unsqueeze(1), obs[:, :-1]], dim=1)  # o_{t−1}
        known = torch.cat([since, torch.ones_like(context.prev_done[:, 1:])], dim=1).unsqueeze(-1)
        sums = total.unsqueeze(1) + (
            self._each(seen, context.prev_action, context.prev_reward) * known
        ).cumsum(1)
        mask = count.unsqueeze(1) + known.cumsum(1)
        z = torch.cat([obs, (sums / mask.clamp(min=1)).detach()], dim=-1)
        state = sums[:, -1], mask[:, -1], obs[:, -1], torch.ones_like(since)
        return Encoding(z, state, aux=self._apart(sums, mask))

    def infer_posterior(self, context: Batch) -> tuple[Tensor, Tensor]:
        """e of a set of transitions a task, [B, L], which no loss but the encoder's own reaches."""
        mask = context.mask.unsqueeze(-1)
        each = self._each(self.obs_encoder(context.obs), context.action, context.reward) * mask
        halves = each[:, 0::2].sum(1), each[:, 1::2].sum(1)
        sizes = mask[:, 0::2].sum(1), mask[:, 1::2].sum(1)
        one, other = (half / size.clamp(min=1) for half, size in zip(halves, sizes, strict=True))
        whole = (halves[0] + halves[1]) / (sizes[0] + sizes[1]).clamp(min=1)
        return whole.detach(), self.distances(one, other)

    def condition(self, posterior: Tensor, obs: Tensor, noise: Tensor | None) -> Tensor:
        return torch.cat([self.obs_encoder(obs), posterior.unsqueeze(1).expand(-1, obs.shape[1], -1)], dim=-1)

    def distances(self, one: Tensor, other: Tensor) -> Tensor:
        """The loss of two embeddings a task, [B, L] each."""
        config, tasks = self.config, len(one)
        apart = (one.unsqueeze(1) - other).square().mean(-1)  # d, [B, B]
        near = (apart.diagonal() + config.near).sqrt().mean()
        if tasks == 1:
            return config.weight * near
        others = 1 - torch.eye(tasks)
        far = (others / (apart + config.far)).sum() / others.sum()
        return config.weight * (near + far)

    def _each(self, obs: Tensor, action: Tensor, reward: Tensor) -> Tensor:
        e: Tensor = self.embed(torch.cat([obs, action, reward.unsqueeze(-1)], dim=-1))
        return e

    def _apart(self, sums: Tensor, mask: Tensor) -> Tensor:
        """The loss of what is known half way through and what came after."""
        middle = sums.shape[1] // 2
        first, last = sums[:, middle], sums[:, -1] - sums[:, middle]
        ahead, since = mask[:, middle], mask[:, -1] - mask[:, middle]
        return self.distances(first / ahead.clamp(min=1), last / since.clamp(min=1))
