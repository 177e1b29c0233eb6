"""Transitions that off-policy learners are tested on."""

from dataclasses import replace

import torch
from torch import Tensor

from metairl.core.types import EncodedTransitions, Spec

SPEC = Spec(obs=3, actions=2, discrete=False, horizon=5, episodes=1, params=1)
LINE = replace(SPEC, actions=1)


def moves(spec: Spec = SPEC, tasks: int = 4, steps: int = 8) -> EncodedTransitions:
    rng = torch.Generator().manual_seed(1)
    action = 2 * torch.rand(tasks, steps, spec.actions, generator=rng) - 1
    return EncodedTransitions(
        z=torch.randn(tasks, steps, 3, generator=rng),
        action=action,
        reward=torch.randn(tasks, steps, generator=rng),
        next_z=torch.randn(tasks, steps, 3, generator=rng),
        continues=torch.ones(tasks, steps),
        mask=torch.ones(tasks, steps),
        family=torch.zeros(tasks, dtype=torch.long),
        is_demo=torch.zeros(tasks, steps),
    )


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def constant(network: torch.nn.Module, to: float) -> None:
    for weight in network.parameters():
        weight.data.zero_()
    list(network.parameters())[-1].data.fill_(to)


def embedded() -> tuple[EncodedTransitions, Tensor]:
    """The same transitions as from an encoder that is trained, and their z."""
    z = moves().z.clone().requires_grad_()
    return replace(moves(), z=z), z
