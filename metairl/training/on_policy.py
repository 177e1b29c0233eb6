"""On-policy training: sample tasks, collect one trial in each, update on these trials, discard them.

Minibatches are whole trials, so recurrent encoders are trained through their full length (backpropagation
through time). The loop does not depend on the encoder or the learner.
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

ExtraLosses = Callable[[Tensor], dict[str, Tensor]]  # of selected trials, beside the learner's own


def no_extra_losses(rows: Tensor) -> dict[str, Tensor]:
    return {}


@dataclass(frozen=True)
class Config:
    trials: int = 1024  # tasks sampled in an iteration, one trial each
    epochs: int = 4  # passes over an iteration's trials
    minibatches: int = 4  # gradient steps in an epoch
    learning_rate: float = 1e-3  # of Adam, annealed linearly to zero over the budget
    decay: float = 0.0  # weight decay (AdamW)
    max_gradient: float = 1.0  # gradients are clipped to this norm


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
        own = ("tasks", "world", "act", "shuffle")
        super().__init__(agent.networks, optimiser, config.max_gradient, seed, (*own, *streams))
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
        losses = self.improve(trial, self.agent.trial_reader(trial), progress)
        mean_return = (trial.outcome.reward * mask).sum(1).mean().item()
        diverged = (trial.outcome.diverged & mask).sum().item()
        return {"return": mean_return} | losses | {"diverged": diverged}

    def improve(
        self,
        trial: Trial,
        read: TrialReader,
        progress: float,
        extra_losses: ExtraLosses = no_extra_losses,
    ) -> dict[str, float]:
        """Updates encoder and learner for some epochs over these trials; returns mean losses."""
        with torch.no_grad():
            encoded, _ = read(torch.arange(len(trial.obs)))
        targets = self.agent.learner.targets(encoded, progress)
        means = Means()
        for _ in range(self.config.epochs):
            order = torch.randperm(self.config.trials, generator=self.streams["shuffle"])
            for rows in order.chunk(self.config.minibatches):
                encoded, aux = read(rows)
                losses = self.agent.learner.losses(encoded, targets[rows])
                means.add(self.optimizer_step(losses | extra_losses(rows) | {"encoder": aux}))
        return means.read()
