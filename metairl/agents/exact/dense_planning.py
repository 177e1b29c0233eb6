"""Finite-horizon planning in tabular MDPs, batched over lanes.

    V_H = 0,    Q_h(s, a) = r(s, a) + Σ_s′ P(s′ | s, a) V_{h+1}(s′),    V_h(s) = max_a Q_h(s, a)

The optimistic form (Jaksch, Ortner & Auer 2010, figure 2) lets P move within an L1 ball around its
estimate: half the radius of probability goes to the best next state and is taken from the worst ones.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Backup = Callable[[Tensor], Tensor]  # V [B, S] -> E[V(s′) | s, a], [B, S, A]


def value_iteration(transitions: Tensor, rewards: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
    """P [B, S, A, S] and r [B, S, A] to the greedy action [B, H, S] and V [B, H, S] at every step."""
    return greedy(action_values(transitions, rewards, horizon))


def optimistic_value_iteration(
    transitions: Tensor, radius: Tensor, rewards: Tensor, horizon: int
) -> tuple[Tensor, Tensor]:
    """The same for the best P within `radius` [B, S, A] of the estimate, in total variation times two."""
    return greedy(backwards(lambda value: best_expected(transitions, radius, value), rewards, horizon))


def action_values(transitions: Tensor, rewards: Tensor, horizon: int) -> Tensor:
    """Q [B, H, S, A] of acting best from every step on."""
    return backwards(lambda value: expected(transitions, value), rewards, horizon)


def greedy(q: Tensor) -> tuple[Tensor, Tensor]:
    value, action = q.max(-1)
    return action, value


def backwards(backup: Backup, rewards: Tensor, horizon: int) -> Tensor:
    value = torch.zeros_like(rewards[..., 0])  # [B, S]
    q = []
    for _ in range(horizon):
        q.append(rewards + backup(value))
        value = q[-1].amax(-1)
    return torch.stack(q[::-1], dim=1)


def expected(transitions: Tensor, value: Tensor) -> Tensor:
    flat = transitions.flatten(1, 2)  # [B, S·A, S]
    return torch.bmm(flat, value.unsqueeze(-1)).view(transitions.shape[:3])


def best_expected(transitions: Tensor, radius: Tensor, value: Tensor) -> Tensor:
    """E[V(s′)] after moving radius / 2 of probability to the best state, out of the worst ones first."""
    order = value.argsort(dim=-1)  # worst first
    rank = order[:, None, None, :].expand_as(transitions)
    p = transitions.gather(-1, rank)
    moved = torch.minimum(radius / 2, 1 - p[..., -1])  # [B, S, A]
    before = p.cumsum(-1) - p
    taken = torch.minimum((moved.unsqueeze(-1) - before).clamp(min=0), p)
    gain = taken.sum(-1) * value.amax(-1)[:, None, None]
    ranked = value.gather(-1, order)[:, None, None, :]
    return ((p - taken) * ranked).sum(-1) + gain
