"""SNAIL: a simple neural attentive meta-learner (Mishra et al. 2018, arXiv:1707.03141).

    x_t = W [o_t, a_{t−1}, r_{t−1}, d_{t−1}]
    dense(x, d)_t = [x_t, tanh(u_t) ⊙ σ(v_t)],   [u_t, v_t] = A x_{t−d} + B x_t + b
    block(x)      = dense(… dense(dense(x, 1), 2) …, 2^(⌈log₂ T⌉ − 1))
    attention(x)_t = [x_t, Σ_{s ≤ t} softmax_s(q_t · k_s / √K) v_s],   q, k, v affine in x
    z_t = attention(block(… attention(block(x))))_t

Temporal convolutions gather the recent past at every scale; attention picks from all of it. A trial is one
forward; a single acting step reads what earlier steps left behind, A x of the last d steps for every
convolution and k, v of every step, so that nothing is computed twice.

Departures: dilations begin at 1, so that the step before is read first.
"""

from dataclasses import dataclass
from math import ceil, log2, sqrt
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from metairl.core.networks import ObservationEncoder, linear
from metairl.core.types import Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    width: int = 32  # of x, the embedded input
    features: int = 32  # new ones from every convolution
    blocks: int = 2  # of convolutions, each with attention after it
    key: int = 32  # K
    value: int = 32  # width of v


class Snail(nn.Module):
    sees_task = False
    context_kind = "trial"
    length_buckets = 4

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        dilations = [2**i for i in range(max(1, ceil(log2(spec.steps))))]
        self.obs_encoder = ObservationEncoder(spec)
        self.embed = linear(self.obs_encoder.width + spec.actions + 2, config.width, gain=1.0)
        layers: list[Any] = []
        width = config.width
        for _ in range(config.blocks):
            for _ in dilations:
                layers.append(Dense(width, config.features))
                width += config.features
            layers.append(Attention(width, config.key, config.value))
            width += config.value
        self.layers = nn.ModuleList(layers)
        self.memory = [
            *((d, 2 * config.features) for d in dilations),
            (0, config.key + config.value),
        ] * config.blocks
        self.width = width  # Z

    def initial(self, lanes: int) -> State:
        return tuple(torch.zeros(lanes, steps, width) for steps, width in self.memory)

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.prev_reward is not None, "SNAIL reads the reward"
        past = torch.stack([context.prev_reward, context.prev_done], dim=-1)  # [B, T, 2]
        x = self.embed(torch.cat([self.obs_encoder(context.obs), context.prev_action, past], dim=-1))
        after: list[Tensor] = []
        for layer, left in zip(self.layers, state, strict=True):
            x, left = layer(x, left)
            after.append(left)
        return Encoding(x, tuple(after), aux=x.new_zeros(()))


class Dense(nn.Module):
    """A causal convolution of two steps, d apart, whose gated output is appended to its input.

    What it left behind is A x of the last d steps, so d is the length of its memory.
    """

    def __init__(self, width: int, features: int):
        super().__init__()
        self.then = nn.Linear(width, 2 * features, bias=False)  # A
        self.now = nn.Linear(width, 2 * features)  # B, b

    def forward(self, x: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        left = torch.cat([left, self.then(x)], dim=1)  # [B, d + T, 2F]
        u, v = (self.now(x) + left[:, : x.shape[1]]).chunk(2, dim=-1)
        return torch.cat([x, u.tanh() * v.sigmoid()], dim=-1), left[:, x.shape[1] :]


class Attention(nn.Module):
    """One head over every step so far, whose reading is appended to its input."""

    def __init__(self, width: int, key: int, value: int):
        super().__init__()
        self.key = key
        self.query = nn.Linear(width, key)
        self.store = nn.Linear(width, key + value)  # k and v

    def forward(self, x: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        before, steps = left.shape[1], x.shape[1]
        left = torch.cat([left, self.store(x)], dim=1)  # [B, S, K + V], S = before + T
        keys, values = left[..., : self.key], left[..., self.key :]
        score = self.query(x) @ rearrange(keys, "lanes s k -> lanes k s") / sqrt(self.key)  # [B, T, S]
        future = torch.ones(steps, before + steps, dtype=torch.bool).triu(before + 1)
        weight = score.masked_fill(future, float("-inf")).softmax(dim=-1)
        return torch.cat([x, weight @ values], dim=-1), left
