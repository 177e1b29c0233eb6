"""On-policy training: draw tasks, live one trial in each, improve on those trials, forget them.

Every iteration draws its tasks anew. Minibatches are whole trials, so memory is trained through its
full length. Nothing here knows which encoder or learner it has.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from metairl.agents.agent import Agent, TrialReader
from metairl.core.interfaces import OnPolicyLearner
from metairl.core.rollout import rollout
from metairl.core.types import Trial
from metairl.data.task_sources import TaskSource
from metairl.training.loop import Means, TrainingLoop

Beside = Callable[[Tensor], dict[str, Tensor]]  # some rows of a trial, and losses beside the learner's own


def nothing(rows: Tensor) -> dict[str, Tensor]:
    return {}


@dataclass(frozen=True)
class Config:
    trials: int = 1024  # tasks an iteration, one trial each
    epochs: int = 4  # passes over an iteration's trials
    minibatches: int = 4  # gradient steps a pass
    learning_rate: float = 1e-3  # Adam, falling linearly to zero over the budget
    decay: float = 0.0  # of weights, a step, times the learning rate (AdamW)
    max_gradient: float = 1.0  # norm above which a gradient is scaled down


class OnPolicy(TrainingLoop):
    def __init__(
        self,
        agent: Agent[OnPolicyLearner],
        source: TaskSource,
        config: Config,
        seed: int,
        streams: tuple[str, ...] = (),
    ):
        optimiser = torch.optim.AdamW(
            agent.networks.parameters(), lr=config.learning_rate, eps=1e-5, weight_decay=config.decay
        )
        known = ("tasks", "world", "act", "shuffle")
        super().__init__(agent.networks, optimiser, config.max_gradient, seed, (*known, *streams))
        self.agent = agent
        self.source = source
        self.config = config

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        tasks = self.source.draw(self.config.trials, self.streams["tasks"]).tasks
        env = self.source.env(tasks, self.streams["world"])
        trial = rollout(self.agent.policy(explore=True), env, self.streams["act"], self.agent.inputs)
        mask = trial.outcome.mask
        self.env_steps += int(mask.sum())
        improved = self.improve(trial, self.agent.trial_reader(trial), progress)
        total = (trial.outcome.reward * mask).sum(1).mean().item()
        diverged = (trial.outcome.diverged & mask).sum().item()
        return {"return": total} | improved | {"diverged": diverged}

    def improve(
        self, trial: Trial, read: TrialReader, progress: float, beside: Beside = nothing
    ) -> dict[str, float]:
        with torch.no_grad():
            features, _ = read(torch.arange(len(trial.obs)))
        targets = self.agent.learner.targets(features, progress)
        means = Means()
        for _ in range(self.config.epochs):
            order = torch.randperm(self.config.trials, generator=self.streams["shuffle"])
            for rows in order.chunk(self.config.minibatches):
                features, aux = read(rows)
                losses = self.agent.learner.losses(features, targets[rows])
                means.add(self.optimizer_step(losses | beside(rows) | {"encoder": aux}))
        return means.read()
