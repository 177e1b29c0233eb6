"""Batches of expert or policy transitions for discriminators, with an absorbing state after early termination
(Kostrikov et al. 2019, DAC, arXiv:1809.02925).

An episode that terminates before its horizon H continues in an absorbing state until H. A discriminator
classifies that state like any other, so neither long nor short episodes are rewarded as such.

    x = [z, a, 0]  of a transition,      x = [0, 0, 1]  of the absorbing state
    E_d[f] = Σ_t (f(x_t) + k_t f(absorbing)) / Σ_t (1 + k_t),    k_t absorbing steps after step t

Departures: absorbing transitions are weighted by their number k_t instead of being stored in a replay buffer.
"""

from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from metairl.core.networks import mlp


@dataclass(frozen=True)
class RewardConfig:
    """Settings of a reward that is learned together with a policy."""


@dataclass(frozen=True)
class DiscriminatorBatch:
    """Transitions of B trials: T consecutive steps of each, or T steps in any order."""

    z: Tensor  # [B, T, Z]
    action: Tensor  # [B, T, A]
    next_z: Tensor  # [B, T, Z]
    mask: Tensor  # [B, T]
    terminated: Tensor  # [B, T], 1 where the MDP terminated
    absorbing_steps: Tensor  # [B, T], k, absorbing steps that follow; 0 where the MDP continues
    log_prob: Tensor  # [B, T], log π(a | z) of the current policy

    def at(self, steps: Tensor) -> "DiscriminatorBatch":
        """Selected steps of every trial, [B, b] int."""
        rows = torch.arange(len(steps)).unsqueeze(1)
        return DiscriminatorBatch(*(getattr(self, field.name)[rows, steps] for field in fields(self)))

    def __getitem__(self, rows: Tensor) -> "DiscriminatorBatch":
        return DiscriminatorBatch(*(getattr(self, field.name)[rows] for field in fields(self)))


class AdversarialReward(Protocol):
    """A discriminator between expert and policy transitions, and the rewards derived from it."""

    config: Any
    whole_trials: bool  # whether its loss needs whole trials, not single transitions

    def losses(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]: ...

    def policy_reward(self, batch: DiscriminatorBatch) -> Tensor:
        """The reward that the policy is trained on, [B, T]."""
        ...

    def absorbing_reward(self) -> Tensor:
        """The same for one step in the absorbing state, []."""
        ...

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        """The estimate of the expert's reward, [B, T]."""
        ...

    def diagnostics(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        """What is logged beside the losses."""
        ...


def expectation(values: Tensor, absorbing: Tensor, batch: DiscriminatorBatch) -> Tensor:
    """E_d[f] of f at each step, [B, T], and of f in the absorbing state, []."""
    total = (values * batch.mask).sum() + absorbing * (batch.absorbing_steps * batch.mask).sum()
    mean: Tensor = total / ((1 + batch.absorbing_steps) * batch.mask).sum()
    return mean


@torch.no_grad()
def reward_gap(
    reward: AdversarialReward, expert: DiscriminatorBatch, policy: DiscriminatorBatch
) -> dict[str, Tensor]:
    """Mean reward of expert steps minus that of policy steps."""
    means = [(reward.policy_reward(d) * d.mask).sum() / d.mask.sum() for d in (expert, policy)]
    return {"reward_gap": means[0] - means[1]}


class AbsorbingMLP(nn.Module):
    """MLP over [x, is_absorbing] with a scalar output."""

    def __init__(self, width: int, hidden: tuple[int, ...]):
        super().__init__()
        self.width = width
        self.net = mlp(width + 1, *hidden, 1, last_gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] -> [B, T]."""
        output: Tensor = self.net(pad(x, (0, 1))).squeeze(-1)
        return output

    def absorbing(self) -> Tensor:
        """The output for the absorbing state, []."""
        output: Tensor = self.net(pad(torch.ones(1), (self.width, 0))).squeeze(-1)
        return output
