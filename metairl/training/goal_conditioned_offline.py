"""Offline goal-conditioned learning on relabelled data: no logged reward is read.

The learner gets its goal as it will get a held-out task's. Goals are states reached by the transition itself,
later in the same trial, or in any other trial (metairl/data/hindsight.py); cloning uses the second kind alone.
"""

from dataclasses import dataclass, field

from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner
from metairl.core.types import Batch
from metairl.data.hindsight import GoalSampling, RelabelledDataset
from metairl.training import offline


@dataclass(frozen=True)
class Config(offline.LoopConfig):
    goals: GoalSampling = field(default_factory=GoalSampling)


class GoalConditionedOffline(offline.OfflineLoop):
    source: RelabelledDataset

    def __init__(self, agent: Agent[OffPolicyLearner], source: RelabelledDataset, config: Config, seed: int):
        super().__init__(agent, source, source.replay, config, seed)

    def transitions(self, which: Tensor) -> Batch:
        config = self.config
        return self.source.sample_relabelled(which, config.batch, config.goals, self.streams["improve"])
