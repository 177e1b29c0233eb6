"""Off-policy training: live trials in a fixed set of training tasks, keep them, improve on what was kept.

    at first         one trial in every training task
    an iteration     one trial in some of them, then ρ gradient steps for every step lived

Judging never reads what is kept.
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
    tasks: int = 100  # training tasks, drawn once
    trials: int = 10  # tasks an iteration, one trial each
    ratio: float = 0.1  # ρ, gradient steps for a step in the world
    recent: int = 1  # newest trials of a task that evidence is taken from
    keep: int = 1_000_000  # steps kept in all
    shaped: bool = False  # learn values of the world's shaped reward; tasks are inferred from the true one


class OffPolicy(replay_loop.ReplayLoop):
    def __init__(self, agent: Agent[OffPolicyLearner], source: TaskSource, config: Config, seed: int):
        super().__init__(agent, config, config.tasks, seed, ("tasks", "world", "act"))
        self.source = source
        self.tasks = source.different(config.tasks, self.streams["tasks"])
        room = max(1, config.keep // (config.tasks * source.spec.steps))
        families = sampling.families(source.card, self.tasks.tasks)
        self.replay = Replay(room, source.spec.steps, families, config.shaped)

    def iterate(self, progress: float) -> dict[str, float]:
        """One iteration; the first only lives, once in every task."""
        if self.env_steps == 0:
            return self._live(torch.arange(self.config.tasks))
        before = self.env_steps
        lived = self._live(self.some_tasks(self.config.trials))
        return lived | self.improve(round(self.config.ratio * (self.env_steps - before)))

    def context_for(self, which: Tensor) -> Batch:
        config = self.config
        known = max(1, self.source.spec.episodes - 1)  # the last episode is evidence for none
        return self.replay.sample_context(
            which, config.context, known, config.recent, self.streams["improve"]
        )

    def acting(self, which: Tensor) -> Policy:
        """Who lives in these tasks."""
        return self.agent.policy(explore=True)

    def state(self) -> dict[str, Any]:
        return super().state() | {"replay": self.replay.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.replay.load(state["replay"])

    def _live(self, which: Tensor) -> dict[str, float]:
        env = self.source.env(self.tasks[which], self.streams["world"])
        policy, inputs = self.acting(which), self.agent.inputs
        trial = rollout(policy, env, self.streams["act"], inputs, final=True, every=self._remembered())
        self.replay.add(which, trial)
        came = trial.outcome
        self.env_steps += int(came.mask.sum())
        total = (came.reward * came.mask).sum(1).mean().item()
        return {"return": total, "diverged": (came.diverged & came.mask).sum().item()}

    def _remembered(self) -> int | None:
        """Steps between moments at which what acting remembers is kept, for segments to begin with."""
        return self.config.segment if self.agent.encoder.context_kind == "trial" else None
