"""A head per skill (Yu et al. 2019, Meta-World, arXiv:1910.10897): skills share all layers but the last.

    e    = the skills' marks in z = [o, c], one-hot
    h    = shared layers of x,  x = z or [z, a]
    f(x) = Σ_k e_k (h W_k + b_k)

f is π and every Q_i and Q̄_i of SAC, π and V of PPO, which learn as they do without heads. All heads are one
product, of which e leaves one. The shared layers read e too: nothing but the last layer is different.

Departures: the paper has heads for SAC alone. PPO's σ is shared, and so are the m_t and s of its V.
"""

import torch
from torch import Tensor, nn

from metairl.agents.rl import ppo, sac
from metairl.core.networks import Ensemble, ParallelMLPs, frozen_copy, mlp
from metairl.core.types import Spec


class Heads(nn.Sequential):
    """Layers with ReLU between them, the last one a skill's own: [..., in] -> [..., out]."""

    marks: Tensor

    def __init__(self, marks: Tensor, *widths: int, last_gain: float):
        """`marks`: where in x each skill has its mark, [K]."""
        *shared, out = widths
        super().__init__(*mlp(*shared, len(marks) * out, last_gain=last_gain))
        self.register_buffer("marks", marks, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        every: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        e = x.index_select(-1, self.marks).unsqueeze(-1)
        return (e * every.view(*x.shape[:-1], len(self.marks), -1)).sum(-2)


class EnsembleOfHeads(Ensemble):
    """The same side by side, each with a number to say: [..., in] -> [members, ...]."""

    marks: Tensor

    def __init__(self, marks: Tensor, members: int, *widths: int):
        ParallelMLPs.__init__(self, members, *widths, len(marks))
        self.register_buffer("marks", marks, persistent=False)

    def forward(self, x: Tensor, detach_weights: bool = False) -> Tensor:
        every = ParallelMLPs.forward(self, x, detach_weights)  # [members, ..., K]
        return (x.index_select(-1, self.marks) * every).sum(-1)


class HeadedSAC(sac.SAC):
    head_per_skill = True

    def __init__(self, spec: Spec, width: int, config: sac.Config):
        super().__init__(spec, width, config)
        marks, hidden = marks_in(spec, width), config.hidden
        self.policy.net = Heads(marks, width, *hidden, 2 * spec.actions, last_gain=0.01)
        self.critic = EnsembleOfHeads(marks, 2, width + spec.actions, *hidden)
        self.target = frozen_copy(self.critic)


class HeadedPPO(ppo.PPO):
    head_per_skill = True

    def __init__(self, spec: Spec, width: int, config: ppo.Config):
        super().__init__(spec, width, config)
        marks, hidden = marks_in(spec, width), config.hidden
        self.policy.net = Heads(marks, width, *hidden, spec.actions, last_gain=0.01)
        self.value.head = Heads(marks, width, *hidden, 1, last_gain=0.1)


def marks_in(spec: Spec, width: int) -> Tensor:
    """Where the skills are marked in z, which ends in the task's parameters."""
    return width - spec.params + torch.tensor(spec.skills)
