"""Off-policy imitation: an environment without reward, and half of every batch from demonstrations.

    iteration       one trial in some of the demonstrated tasks, then ρ gradient steps for every environment step
    gradient step   transitions of the replay buffer, and as many demonstrated ones of the same tasks

A task is inferred from its demonstrations, as a held-out one is.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner, Policy
from metairl.core.types import Batch
from metairl.data.task_sources import DemonstratedTasks
from metairl.training import off_policy


@dataclass(frozen=True)
class Config(off_policy.Config):
    trials: int = 1  # tasks rolled out in an iteration, one trial each
    batch_tasks: int = 1  # tasks in a gradient step
    context: int = 200  # demonstrated transitions that a task is inferred from


class OffPolicyWithDemos(off_policy.OffPolicy):
    source: DemonstratedTasks

    def __init__(self, agent: Agent[OffPolicyLearner], source: DemonstratedTasks, config: Config, seed: int):
        super().__init__(agent, source, replace(config, tasks=len(source.demos)), seed)

    def transitions(self, which: Tensor) -> Batch:
        count, rng = self.config.batch, self.streams["improve"]
        collected = self.replay.sample_transitions(which, count, rng)
        return collected.concat(self.source.demos.replay.sample_transitions(which, count, rng))

    def context_for(self, which: Tensor) -> Batch:
        rng = self.streams["improve"]
        context = self.source.context_for(which, self.config.context, self.agent.encoder, rng)
        assert context is not None, "asked for by set encoders alone"
        return context

    def behaviour(self, which: Tensor) -> Policy:
        policy = self.agent.policy(explore=True)
        if self.agent.encoder.context_kind != "set":
            return policy
        return policy.conditioned_on(self.context_for(which))
