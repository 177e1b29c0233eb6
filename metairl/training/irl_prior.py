"""Meta-training of IRL: a prior over reward parameters from training tasks, for few demonstrations of a new one.

    maxent.py        each training task has weights of its own; the prior is their mean and variance
    deep_maxent.py   one network is fitted to all training tasks; a new task's network starts there

Every gradient step reads all demonstrations of all training tasks. The budget is counted in gradient steps.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from metairl.core.types import Demonstrations, FiniteMDP
from metairl.rewards.irl.gradient_ascent import ExpertStatistics, Model, accumulate_maxent_gradient
from metairl.training.loop import Means, TrainingLoop


@dataclass(frozen=True)
class Config:
    learning_rate: float = 0.02  # of Adam
    rounds: int = 30  # gradient steps in an iteration


class PriorLearner(Model, Protocol):
    """An IRL method whose prior can be learned."""

    def initial_rewards(self, lanes: int) -> nn.Module:
        """Reward parameters of all training tasks, to be fitted together."""
        ...

    def update_prior(self, rewards: Any) -> None:
        """Sets the prior from the fitted parameters."""
        ...


class IRLPrior(TrainingLoop):
    def __init__(
        self, model: PriorLearner, mdps: FiniteMDP, demos: Demonstrations, config: Config, seed: int
    ):
        assert isinstance(model, nn.Module), "only methods with parameters learn a prior"
        self.model, self.expert, self.config = model, ExpertStatistics.of(mdps, demos), config
        self.rewards = model.initial_rewards(len(mdps))
        optimiser = torch.optim.Adam(self.rewards.parameters(), config.learning_rate)
        super().__init__(nn.ModuleDict({"model": model, "rewards": self.rewards}), optimiser, None, seed, ())

    @property
    def clock(self) -> int:
        return self.gradient_steps

    def iterate(self, progress: float) -> dict[str, float]:
        means = Means()
        for _ in range(self.config.rounds):
            self.optimiser.zero_grad(set_to_none=True)
            gap = accumulate_maxent_gradient(self.model, self.rewards, self.expert)
            self._clipped_step()
            means.add({name: value.mean() for name, value in gap.items()})
        self.model.update_prior(self.rewards)
        return means.read()
