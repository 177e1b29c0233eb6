"""What was done, by demonstrators or by a policy, as rewards that are learned beside a policy read it.

An episode that the MDP ends early goes on, for rewards, in a state of rest until its horizon: every step
there is worth the same, whoever came there, so that neither living long nor ending soon pays by itself.

    x = [z, a, 0]  of a step,      x = [0, 0, 1]  at rest
    E_d[f] = Σ_t (f(x_t) + k_t f(rest)) / Σ_t (1 + k_t),    k_t steps of rest after step t
"""

from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from metairl.core.networks import mlp


@dataclass(frozen=True)
class RewardConfig:
    """Settings of a reward that is learned beside a policy."""


@dataclass(frozen=True)
class DiscriminatorBatch:
    """Of B trials, T steps each, or some of their steps."""

    z: Tensor  # [B, T, Z]
    action: Tensor  # [B, T, A]
    next_z: Tensor  # [B, T, Z]
    mask: Tensor  # [B, T]
    ended: Tensor  # [B, T], 1 where the MDP ended
    rest: Tensor  # [B, T], k, steps of rest that follow; 0 where the MDP went on
    log_prob: Tensor  # [B, T], of the action by the policy that is judged

    def at(self, steps: Tensor) -> "DiscriminatorBatch":
        """These steps of every trial alone, [B, b] int."""
        rows = torch.arange(len(steps)).unsqueeze(1)
        return DiscriminatorBatch(*(getattr(self, field.name)[rows, steps] for field in fields(self)))

    def __getitem__(self, rows: Tensor) -> "DiscriminatorBatch":
        return DiscriminatorBatch(*(getattr(self, field.name)[rows] for field in fields(self)))


class AdversarialReward(Protocol):
    """A reward that is learned beside the policy that it pays."""

    config: Any
    whole: bool  # it reads whole trials, else any steps of them

    def losses(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> dict[str, Tensor]: ...

    def policy_reward(self, deeds: DiscriminatorBatch) -> Tensor:
        """What the policy is to earn in every step, [B, T]."""
        ...

    def absorbing_reward(self) -> Tensor:
        """The same of a step of rest, []."""
        ...

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        """What the demonstrators seem to be after, [B, T]."""
        ...


def expected(here: Tensor, at_rest: Tensor, deeds: DiscriminatorBatch) -> Tensor:
    """E_d of a number a step, [B, T], and of the same at rest, []."""
    total = (here * deeds.mask).sum() + at_rest * (deeds.rest * deeds.mask).sum()
    mean: Tensor = total / ((1 + deeds.rest) * deeds.mask).sum()
    return mean


class AbsorbingMLP(nn.Module):
    """A number of x, which a step and rest have in common."""

    def __init__(self, width: int, hidden: tuple[int, ...]):
        super().__init__()
        self.width = width
        self.net = mlp(width + 1, *hidden, 1, last_gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] -> [B, T]."""
        number: Tensor = self.net(pad(x, (0, 1))).squeeze(-1)
        return number

    def absorbing(self) -> Tensor:
        rest: Tensor = self.net(pad(torch.ones(1), (self.width, 0))).squeeze(-1)
        return rest
