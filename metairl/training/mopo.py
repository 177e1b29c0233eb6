"""MOPO: offline RL in a learned dynamics ensemble (Yu et al. 2020, arXiv:2005.13239).

    rollouts        h steps of the policy in the ensemble from dataset observations        model_rollouts.py
                    r̃ = r − λ u(o, a); terminal where o′ is an end                        metairl/envs/termination.py
    gradient step   a share ρ of dataset transitions and 1 − ρ of model rollouts, with r̃

The budget is counted in gradient steps; fitting the ensemble counts for nothing.

Departures: equally many rollouts start in every task; fewer of them than in the paper, 10,000 instead of 50,000.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner
from metairl.core.types import Batch
from metairl.data.offline_dataset import OfflineDataset
from metairl.training import model_rollouts, offline
from metairl.training.model_rollouts import ModelRollouts


@dataclass(frozen=True)
class Config(model_rollouts.Config):
    penalty: float = 1.0  # weight of the uncertainty penalty (λ)


class MOPO(offline.OfflineLoop):
    needs_termination = True  # computed from observations

    def __init__(self, agent: Agent[OffPolicyLearner], source: OfflineDataset, config: Config, seed: int):
        replay = source.best_trials(config.best_share)
        super().__init__(agent, source, replay, config, seed, ("fit", "imagine"))
        self.rollouts = ModelRollouts(agent, replay, config, source.ends, seed)

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        if self.gradient_steps == 0:
            self.rollouts.fit(self.streams["fit"])
        metrics = self.rollouts.generate(self._starts, self._penalty, self.streams["imagine"])
        return metrics | self.improve(self.config.rounds)

    def transitions(self, which: Tensor) -> Batch:
        """A share ρ of dataset transitions, the others of model rollouts."""
        return self.rollouts.sample_mixed(which, self.streams["improve"])

    def state(self) -> dict[str, Any]:
        return super().state() | self.rollouts.state()

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.rollouts.load(state)

    def _starts(self) -> Tensor:
        count = self.rollouts.per_task
        return self.rollouts.starts(self.replay, count, self.streams["imagine"]).flatten(0, 1)

    def _penalty(self, mean: Tensor, std: Tensor) -> Tensor:
        """λ u, [M, B, O + 1] -> [B]."""
        penalty: Tensor = self.config.penalty * self.rollouts.uncertainty(mean, std)
        return penalty
