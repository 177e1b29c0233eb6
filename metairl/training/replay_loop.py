"""Gradient steps on batches from a replay buffer: what off-policy and offline training share.

What a step reads follows from the encoder: single transitions, segments of trials, or transitions together
with separate context that the same tasks are inferred from.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner
from metairl.core.types import Batch, EncodedTransitions
from metairl.data.replay import Replay, some_steps
from metairl.training.loop import Means, TrainingLoop


@dataclass(frozen=True)
class Config:
    batch_tasks: int = 16  # tasks in a gradient step
    batch: int = 256  # transitions of each task that the losses are computed on
    context: int = 100  # transitions that a task is inferred from, for set encoders
    segment: int | None = None  # length of segments for sequence encoders, started from stored states
    pcgrad: bool = False  # project conflicting gradients between task families
    learning_rate: float = 3e-4  # of Adam
    max_gradient: float | None = None  # gradients are clipped to this norm


class ReplayLoop(TrainingLoop):
    replay: Replay

    def __init__(
        self, agent: Agent[OffPolicyLearner], config: Config, tasks: int, seed: int, streams: tuple[str, ...]
    ):
        """`tasks`: how many the buffer holds."""
        optimiser = torch.optim.Adam(agent.networks.parameters(), lr=config.learning_rate, fused=True)
        super().__init__(
            agent.networks, optimiser, config.max_gradient, seed, (*streams, "choose", "improve")
        )
        self.agent = agent
        self.config: Any = config
        self.count = tasks

    def context_for(self, which: Tensor) -> Batch:
        """What set encoders infer these tasks from."""
        raise NotImplementedError

    def transitions(self, which: Tensor) -> Batch:
        """What the losses are computed on, unless the encoder reads segments."""
        return self.replay.sample_transitions(which, self.config.batch, self.streams["improve"])

    def sample_tasks(self, count: int) -> Tensor:
        """Indices of different tasks, in random order."""
        return torch.randperm(self.count, generator=self.streams["choose"])[:count]

    def improve(self, rounds: int) -> dict[str, float]:
        """So many gradient steps; mean losses."""
        means = Means()
        for _ in range(rounds):
            means.add(self.update(*self.encoded_batch()))
            self.agent.learner.after_step()
        return means.read()

    def update(self, batch: EncodedTransitions, aux: Tensor) -> dict[str, Tensor]:
        """One gradient step on the learner's losses and the encoder's own."""
        learner, rng = self.agent.learner, self.streams["improve"]
        if not self.config.pcgrad:
            return self.optimizer_step(learner.losses(batch, rng) | {"encoder": aux})
        families = torch.unique(batch.family)
        losses = [learner.losses(batch[batch.family == f], rng) | {"encoder": aux} for f in families]
        return self.pcgrad_step(losses, rng)

    def encoded_batch(self) -> tuple[EncodedTransitions, Tensor]:
        """The batch of one gradient step, and the encoder's own loss."""
        config, agent, replay, rng = self.config, self.agent, self.replay, self.streams["improve"]
        which = self.sample_tasks(config.batch_tasks)
        match agent.encoder.context_kind:
            case "step":
                return agent.encode_transitions(self.transitions(which))
            case "trial":
                segment = replay.sample_segments(which, config.segment or replay.length, rng)
                batch, aux = agent.encode_segment(segment)
                if config.batch < batch.mask.shape[1]:
                    batch = batch.at(some_steps(batch.mask.sum(1), config.batch, rng))
                return batch, aux
            case "set":
                context = self.context_for(which)
                return agent.encode_given_context(self.transitions(which), context, rng)
