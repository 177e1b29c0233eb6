"""What many explained tasks teach about the next one: the prior under which few demonstrations are read.

    weights     each training task's own are found; m and 1 / λ are their mean and variance    maxent.py
    networks    one for all training tasks, where θ of the next one begins                      deep_maxent.py

Every gradient step is of all training tasks, with all the demonstrations that there are of them. The budget
is counted in gradient steps.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from metairl.core.types import Demonstrations, FiniteMDP
from metairl.rewards.irl.gradient_ascent import Evidence, Model, accumulate_gradient
from metairl.training.loop import Means, TrainingLoop


@dataclass(frozen=True)
class Config:
    rate: float = 0.02  # of Adam
    rounds: int = 30  # gradient steps of an iteration


class PriorLearner(Model, Protocol):
    """A model that explains many tasks before it meets the one that counts."""

    def for_many(self, lanes: int) -> nn.Module:
        """The parameters that training tasks are explained by."""
        ...

    def learn(self, rewards: Any) -> None:
        """Take in what explains them."""
        ...


class IRLPrior(TrainingLoop):
    def __init__(
        self, model: PriorLearner, chart: FiniteMDP, shown: Demonstrations, config: Config, seed: int
    ):
        assert isinstance(model, nn.Module), "what learns has parameters"
        self.model, self.evidence, self.config = model, Evidence.of(chart, shown), config
        self.rewards = model.for_many(len(chart))
        optimiser = torch.optim.Adam(self.rewards.parameters(), config.rate)
        super().__init__(nn.ModuleDict({"model": model, "rewards": self.rewards}), optimiser, None, seed, ())

    @property
    def clock(self) -> int:
        return self.gradient_steps

    def iterate(self, progress: float) -> dict[str, float]:
        means = Means()
        for _ in range(self.config.rounds):
            self.optimiser.zero_grad(set_to_none=True)
            found = accumulate_gradient(self.model, self.rewards, self.evidence)
            self._step()
            means.add({name: value.mean() for name, value in found.items()})
        self.model.learn(self.rewards)
        return means.read()
