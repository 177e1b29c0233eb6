"""RL²: fast reinforcement learning via slow reinforcement learning (Duan et al. 2016, arXiv:1611.02779).

    x_t = φ(o_t, a_{t−1}, r_{t−1}, d_{t−1}) = [o_t, a_{t−1}, r_{t−1}, d_{t−1}]
    h_t = RNN(x_t, h_{t−1})
    z_t = h_t

h crosses the ends of episodes inside a trial, which is where adaptation lives, and is 0 at the start
of every trial. One forward serves a whole trial and a single acting step (T = 1).

Departures: no weight normalisation; actor and critic read the same recurrent features. Settings, off by
default, make it easier to learn which action was good in which state:

    remember   b = the initial bias of the gate that keeps h, so that it is not forgotten from the start
    pairs      φ = [o_t, r_{t−1}, d_{t−1}, p, r_{t−1} p],  p = [1, o_{t−1}] ⊗ a_{t−1}: the action in its state
               and its reward
    recall     z_t = [h_t, (K h_t) o_t], K h_t a matrix [recall, O]: what memory holds about this state
    beside     z_t = [h_t, o_t]: what is seen need not pass through memory, which off-policy critics ask for
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from metairl.core.errors import UsageError
from metairl.core.networks import ObservationEncoder, linear
from metairl.core.types import Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    cell: Literal["gru", "lstm"] = "gru"  # the paper uses a GRU; SNAIL compares with an LSTM
    width: int = 64  # size of h; the paper has 256
    remember: float = 0.0  # initial bias of the update gate (GRU) or forget gate (LSTM)
    pairs: bool = False  # read [1, o_{t−1}] ⊗ a_{t−1}, and its product with r_{t−1}, for a_{t−1}
    recall: int = 0  # features of h that o_t selects
    beside: bool = False  # o_t is part of z too


class RL2(nn.Module):
    sees_task = False
    context_kind = "trial"

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        if spec.picture and (config.pairs or config.recall):
            raise UsageError("encoder 'rl2': pairs and recall need observations that are not pictures")
        self.obs_encoder = ObservationEncoder(spec)
        self.length_buckets = 4 if spec.picture else 1
        self.hidden, self.recall, self.obs = config.width, config.recall, spec.obs
        self.beside = config.beside
        self.width = config.width + config.recall + (self.obs_encoder.width if config.beside else 0)  # Z
        self.before = spec.obs if config.pairs else 0  # width of the o_{t−1} that is kept beside h
        self.memories = 2 if config.cell == "lstm" else 1  # an LSTM carries (h, c)
        done = 2 * (1 + spec.obs) * spec.actions if config.pairs else spec.actions
        cell = nn.LSTM if config.cell == "lstm" else nn.GRU
        self.rnn = cell(self.obs_encoder.width + 2 + done, config.width, batch_first=True)
        self.key = linear(config.width, config.recall * spec.obs, gain=1.0) if config.recall else None
        self._start(config.remember)

    def initial(self, lanes: int) -> State:
        sizes = [self.hidden] * self.memories + [self.before]
        return tuple(torch.zeros(lanes, size) for size in sizes)

    def forward(self, context: Context, state: State) -> Encoding:
        before = state[-1]
        memory = tuple(m.unsqueeze(0) for m in state[:-1])
        seen = self.obs_encoder(context.obs)
        h, after = self.rnn(self._read(context, seen, before), memory if self.memories == 2 else memory[0])
        after = after if self.memories == 2 else (after,)
        before = context.obs[:, -1, : self.before]
        z = self._recalled(h, context.obs)
        z = torch.cat([z, seen], dim=-1) if self.beside else z
        return Encoding(z, (*(m.squeeze(0) for m in after), before), aux=z.new_zeros(()))

    def _read(self, context: Context, seen: Tensor, before: Tensor) -> Tensor:
        """φ, [B, T, inputs]."""
        assert context.prev_reward is not None, "RL² reads the reward"
        obs, action, reward = context.obs, context.prev_action, context.prev_reward.unsqueeze(-1)
        plain = [seen, action, reward, context.prev_done.unsqueeze(-1)]
        if not self.before:
            return torch.cat(plain, dim=-1)
        before = torch.cat([before.unsqueeze(1), obs[:, :-1]], dim=1)  # [B, T, O]
        there = (before.unsqueeze(-1) * action.unsqueeze(-2)).flatten(-2)  # [B, T, O·A]
        return torch.cat([*plain, there, action * reward, there * reward], dim=-1)

    def _recalled(self, h: Tensor, obs: Tensor) -> Tensor:
        """z, contiguous once here rather than in every head that reads it."""
        if self.key is None:
            return h.contiguous()
        about = self.key(h).unflatten(-1, (self.obs, self.recall))  # [B, T, O, R]
        return torch.cat([h, (obs.unsqueeze(-1) * about).sum(-2)], dim=-1)

    def _start(self, remember: float) -> None:
        for name, weight in self.rnn.named_parameters():
            if "weight_hh" in name:
                for gate in torch.split(weight.data, self.hidden):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)
            if "bias_hh" in name:
                keeps = weight.data[self.hidden : 2 * self.hidden]  # the second gate of either cell
                nn.init.constant_(keeps, remember)
