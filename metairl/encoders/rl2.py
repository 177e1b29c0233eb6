"""RL²: fast reinforcement learning via slow reinforcement learning (Duan et al. 2016, arXiv:1611.02779).

    z_t, h_t = RNN([o_t, a_{t−1}, r_{t−1}, d_{t−1}], h_{t−1})

h crosses the ends of episodes inside a trial, which is where adaptation lives, and is 0 at the start
of every trial. One forward serves a whole trial and a single acting step (T = 1).

Departures: no weight normalisation; actor and critic read the same recurrent features.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from metairl.types import Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    cell: Literal["gru", "lstm"] = "gru"  # the paper uses a GRU; SNAIL compares with an LSTM
    width: int = 64  # Z, also the size of h; the paper has 256


class RL2(nn.Module):
    sees_task = False

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.width = config.width
        self.memories = 2 if config.cell == "lstm" else 1  # an LSTM carries (h, c)
        cell = nn.LSTM if config.cell == "lstm" else nn.GRU
        self.rnn = cell(spec.obs + spec.actions + 2, config.width, batch_first=True)
        for name, weight in self.rnn.named_parameters():
            if "weight_hh" in name:
                for gate in torch.split(weight.data, config.width):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)

    def initial(self, lanes: int) -> State:
        return tuple(torch.zeros(lanes, self.width) for _ in range(self.memories))

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.prev_reward is not None, "RL² reads the reward"
        past = torch.stack([context.prev_reward, context.prev_done], dim=-1)  # [B, T, 2]
        x = torch.cat([context.obs, context.prev_action, past], dim=-1)  # [B, T, O + A + 2]
        memory = tuple(m.unsqueeze(0) for m in state)
        z, memory = self.rnn(x, memory if self.memories == 2 else memory[0])
        memory = memory if self.memories == 2 else (memory,)
        return Encoding(z, tuple(m.squeeze(0) for m in memory), aux=z.new_zeros(()))
