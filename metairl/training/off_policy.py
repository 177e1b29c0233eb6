"""Off-policy training: collect trials on a fixed set of training tasks into a replay buffer and update from
samples of it.

    first iteration   one trial in every training task
    iteration         one trial in some of them, then ρ gradient steps for every environment step

Evaluation never reads the buffer.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner, Policy
from metairl.core.rollout import rollout
from metairl.core.types import Batch
from metairl.data.replay import Replay
from metairl.data.task_sources import TaskSource
from metairl.tasks import sampling
from metairl.training import replay_loop


@dataclass(frozen=True)
class Config(replay_loop.Config):
    tasks: int = 100  # training tasks, sampled once
    trials: int = 10  # tasks rolled out in an iteration, one trial each
    ratio: float = 0.1  # gradient steps for each environment step (ρ)
    recent: int = 1  # newest trials of a task that its context is sampled from
    keep: int = 1_000_000  # capacity of the replay buffer, in steps
    shaped: bool = (
        False  # train values on the environment's shaped reward; tasks are inferred from the true one
    )


class OffPolicy(replay_loop.ReplayLoop):
    def __init__(self, agent: Agent[OffPolicyLearner], source: TaskSource, config: Config, seed: int):
        super().__init__(agent, config, config.tasks, seed, ("tasks", "world", "act"))
        self.source = source
        self.tasks = source.different(config.tasks, self.streams["tasks"])
        capacity = max(1, config.keep // (config.tasks * source.spec.steps))
        families = sampling.families(source.card, self.tasks.tasks)
        self.replay = Replay(capacity, source.spec.steps, families, config.shaped)

    def iterate(self, progress: float) -> dict[str, float]:
        """The first iteration only collects, one trial in every task."""
        if self.env_steps == 0:
            return self.collect(torch.arange(self.config.tasks))
        before = self.env_steps
        collected = self.collect(self.sample_tasks(self.config.trials))
        return collected | self.improve(round(self.config.ratio * (self.env_steps - before)))

    def context_for(self, which: Tensor) -> Batch:
        """From exploration episodes: the last episode of a trial is context for none."""
        config = self.config
        episodes = max(1, self.source.spec.episodes - 1)
        return self.replay.sample_context(
            which, config.context, episodes, config.recent, self.streams["improve"]
        )

    def behaviour(self, which: Tensor) -> Policy:
        """The policy that collects trials in these tasks."""
        return self.agent.policy(explore=True)

    def collect(self, which: Tensor) -> dict[str, float]:
        """One trial in each of these tasks, into the buffer."""
        env = self.source.env(self.tasks[which], self.streams["world"])
        policy, inputs = self.behaviour(which), self.agent.inputs
        every = self.config.segment if self.agent.encoder.context_kind == "trial" else None
        trial = rollout(policy, env, self.streams["act"], inputs, keep_next_obs=True, memory_every=every)
        self.replay.add(which, trial)
        outcome = trial.outcome
        self.env_steps += int(outcome.mask.sum())
        mean_return = (outcome.reward * outcome.mask).sum(1).mean().item()
        return {"return": mean_return, "diverged": (outcome.diverged & outcome.mask).sum().item()}

    def state(self) -> dict[str, Any]:
        return super().state() | {"replay": self.replay.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.replay.load(state["replay"])
