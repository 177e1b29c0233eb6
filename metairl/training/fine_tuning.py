"""Adaptation by training: every held-out task trains a copy of the agent on that task alone.

    θ_i ← θ₀,  meta-trained weights, or fresh ones for training from scratch
    for p = 0 … P:  θ_i is evaluated after p m / P environment steps of task i, by the loop that trained θ₀

With layers = "last" only the output layers are trained.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from metairl.agents.agent import Agent
from metairl.training.loop import TrainingLoop


@dataclass(frozen=True)
class Config:
    steps: int = 20_000  # environment steps in every held-out task (m)
    points: int = 10  # evaluations along the way (P), beside the one at the start
    tasks: int = 10  # held-out tasks to adapt to: the first ones of the split
    layers: Literal["all", "last"] = "all"  # layers that are trained


def adapt(copies: Sequence[TrainingLoop], config: Config) -> Iterator[int]:
    """Trains all copies to each evaluation point; yields the number of steps there."""
    for point in range(config.points + 1):
        steps = config.steps * point // config.points
        for loop in copies:
            while loop.clock < steps:
                loop.iterate(loop.clock / config.steps)
        yield steps


def freeze(agent: Agent[Any], layers: Literal["all", "last"]) -> None:
    """Freezes every layer but these."""
    if layers == "last":
        agent.networks.requires_grad_(False)
        for weight in agent.learner.last_layer():
            weight.requires_grad_(True)
