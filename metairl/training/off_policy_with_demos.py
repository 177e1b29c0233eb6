"""Off-policy training beside demonstrations: what is lived pays nothing, and half of every batch was shown.

    an iteration     one trial in some of the demonstrated tasks, then ρ gradient steps for every step lived
    a gradient step  transitions that were lived, and as many that were demonstrated, of the same tasks

A task is inferred from demonstrations of it, as a held-out one is.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner, Policy
from metairl.core.types import Batch
from metairl.data.imitated import DemonstratedTasks
from metairl.training import off_policy


@dataclass(frozen=True)
class Config(off_policy.Config):
    trials: int = 1
    batch_tasks: int = 1
    context: int = 200  # transitions that a task is inferred from, of demonstrations


class OffPolicyWithDemos(off_policy.OffPolicy):
    source: DemonstratedTasks

    def __init__(self, agent: Agent[OffPolicyLearner], source: DemonstratedTasks, config: Config, seed: int):
        super().__init__(agent, source, replace(config, tasks=len(source.demos)), seed)

    def transitions(self, which: Tensor) -> Batch:
        count, chance = self.config.batch, self.streams["improve"]
        return self.replay.sample_transitions(which, count, chance).beside(
            self.source.demos.replay.sample_transitions(which, count, chance)
        )

    def context_for(self, which: Tensor) -> Batch:
        known = self.source.context_for(
            which, self.config.context, self.agent.encoder, self.streams["improve"]
        )
        assert known is not None, "what is inferred from evidence"
        return known

    def acting(self, which: Tensor) -> Policy:
        policy = self.agent.policy(explore=True)
        return (
            policy.conditioned_on(self.context_for(which))
            if self.agent.encoder.context_kind == "set"
            else policy
        )
