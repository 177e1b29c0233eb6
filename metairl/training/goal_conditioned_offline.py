"""Offline training on goals that are chosen in hindsight: gradient steps on logs without their reward.

What is learned is told its goal as it will be told a held-out task's. Shares of goals that were reached at
once, later in the same trial, or in any other: metairl/data/hindsight.py; cloning has use for the second alone.
"""

from dataclasses import dataclass, field

from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner
from metairl.core.types import Batch
from metairl.data.hindsight import GoalSampling, RelabelledDataset
from metairl.training import offline, replay_loop


@dataclass(frozen=True)
class Config(replay_loop.Config):
    batch: int = 16  # transitions of each task that losses are of
    goals: GoalSampling = field(default_factory=GoalSampling)


class GoalConditionedOffline(offline.FromLogs):
    source: RelabelledDataset

    def __init__(self, agent: Agent[OffPolicyLearner], source: RelabelledDataset, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        self.replay = source.replay

    def transitions(self, which: Tensor) -> Batch:
        config = self.config
        return self.source.relabelled(which, config.batch, config.goals, self.streams["improve"])
