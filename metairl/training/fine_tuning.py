"""Adaptation by training: for every held-out task a copy of the weights goes on learning in that task alone.

    θ_i ← θ₀,  what earlier tasks have taught, or fresh weights where nothing was trained before
    for p = 0 … P:  θ_i has lived p m / P steps of task i, by the recipe that trained θ₀

With layers = "last" the output layers move and what is below them stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from metairl.agents.agent import Agent
from metairl.training.loop import TrainingLoop


@dataclass(frozen=True)
class Config:
    steps: int = 20_000  # m, lived in every held-out task
    points: int = 10  # P, times that this is judged, beside the beginning
    tasks: int = 10  # held-out tasks that are adapted to: the first ones of the split
    layers: Literal["all", "last"] = "all"  # what moves


def adapt(copies: Sequence[TrainingLoop], config: Config) -> Iterator[int]:
    """The steps that each copy was meant to live so far, at every point; in between, all of them learn."""
    for point in range(config.points + 1):
        wanted = config.steps * point // config.points
        for recipe in copies:
            while recipe.clock < wanted:
                recipe.iterate(recipe.clock / config.steps)
        yield wanted


def hold(agent: Agent[Any], layers: Literal["all", "last"]) -> None:
    """Let nothing but these layers learn."""
    if layers == "last":
        agent.networks.requires_grad_(False)
        for weight in agent.learner.last_layer():
            weight.requires_grad_(True)
