"""RL²: fast reinforcement learning via slow reinforcement learning (Duan et al. 2016, arXiv:1611.02779).

    z_t, h_t = RNN([o_t, a_{t−1}, r_{t−1}, d_{t−1}], h_{t−1})

h crosses the ends of episodes inside a trial, which is where adaptation lives, and is 0 at the start
of every trial. One forward serves a whole trial and a single acting step (T = 1).

Departures: no weight normalisation; actor and critic read the same recurrent features; o_{t−1} may be
read too (`previous_obs`). It adds no information, but the state in which a_{t−1} was taken need not be
recalled from h to be joined with r_{t−1}.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from metairl.types import Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    cell: Literal["gru", "lstm"] = "gru"  # the paper uses a GRU; SNAIL compares with an LSTM
    width: int = 64  # Z, also the size of h; the paper has 256
    previous_obs: bool = False  # read o_{t−1} beside o_t


class RL2(nn.Module):
    sees_task = False

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.width = config.width
        self.previous = spec.obs if config.previous_obs else 0  # width of o_{t−1} in the input
        self.memories = 2 if config.cell == "lstm" else 1  # an LSTM carries (h, c)
        cell = nn.LSTM if config.cell == "lstm" else nn.GRU
        self.rnn = cell(self.previous + spec.obs + spec.actions + 2, config.width, batch_first=True)
        for name, weight in self.rnn.named_parameters():
            if "weight_hh" in name:
                for gate in torch.split(weight.data, config.width):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)

    def initial(self, lanes: int) -> State:
        return *(torch.zeros(lanes, self.width) for _ in range(self.memories)), torch.zeros(
            lanes, self.previous
        )

    def forward(self, context: Context, state: State) -> Encoding:
        *memory, last_obs = state
        h = tuple(m.unsqueeze(0) for m in memory)
        z, after = self.rnn(self._read(context, last_obs), h if self.memories == 2 else h[0])
        after = after if self.memories == 2 else (after,)
        last_obs = context.obs[:, -1, : self.previous]
        z = z.contiguous()  # once here, not in every head that reads it
        return Encoding(z, (*(m.squeeze(0) for m in after), last_obs), aux=z.new_zeros(()))

    def _read(self, context: Context, last_obs: Tensor) -> Tensor:
        assert context.prev_reward is not None, "RL² reads the reward"
        obs = context.obs
        before = torch.cat([last_obs.unsqueeze(1), obs[:, :-1, : self.previous]], dim=1)  # [B, T, O or 0]
        past = torch.stack([context.prev_reward, context.prev_done], dim=-1)  # [B, T, 2]
        return torch.cat([before, obs, context.prev_action, past], dim=-1)
