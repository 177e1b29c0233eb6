"""Gradient steps on transitions that are kept, a task at a time: what learning off-policy and offline share.

What a step reads depends on the encoder alone: any transitions, segments of trials, or any transitions
and, apart from them, evidence that the same tasks are inferred from.
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
    batch_tasks: int = 16  # tasks of a gradient step
    batch: int = 256  # transitions of each that losses are of
    context: int = 100  # transitions that a task is inferred from, for encoders of sets
    segment: int | None = None  # steps read at a time by encoders of sequences, from what acting remembered
    pcgrad: bool = False  # gradients of families of tasks that conflict are made to agree (PCGrad)
    learning_rate: float = 3e-4  # Adam
    max_gradient: float | None = None  # norm above which a gradient is scaled down


class ReplayLoop(TrainingLoop):
    replay: Replay

    def __init__(
        self, agent: Agent[OffPolicyLearner], config: Config, tasks: int, seed: int, streams: tuple[str, ...]
    ):
        """Of so many tasks."""
        optimiser = torch.optim.Adam(agent.networks.parameters(), lr=config.learning_rate, fused=True)
        super().__init__(
            agent.networks, optimiser, config.max_gradient, seed, (*streams, "choose", "improve")
        )
        self.agent = agent
        self.config: Any = config
        self.count = tasks

    def context_for(self, which: Tensor) -> Batch:
        """What these tasks are inferred from, by encoders of sets."""
        raise NotImplementedError

    def transitions(self, which: Tensor) -> Batch:
        """What losses of these tasks are of, by encoders that read no segments."""
        return self.replay.sample_transitions(which, self.config.batch, self.streams["improve"])

    def some_tasks(self, count: int) -> Tensor:
        """Different ones, in no order."""
        return torch.randperm(self.count, generator=self.streams["choose"])[:count]

    def improve(self, rounds: int) -> dict[str, float]:
        means = Means()
        for _ in range(rounds):
            means.add(self._update(*self._moves()))
            self.agent.learner.after_step()
        return means.read()

    def _update(self, moves: EncodedTransitions, aux: Tensor) -> dict[str, Tensor]:
        learner, chance = self.agent.learner, self.streams["improve"]
        if not self.config.pcgrad:
            return self.optimizer_step(learner.losses(moves, chance) | {"encoder": aux})
        kinds = torch.unique(moves.family)
        apart = [learner.losses(moves[moves.family == kind], chance) | {"encoder": aux} for kind in kinds]
        return self.pcgrad_step(apart, chance)

    def _moves(self) -> tuple[EncodedTransitions, Tensor]:
        """What one gradient step learns from, as the encoder has it read; the encoder's own loss."""
        config, agent, replay, rng = self.config, self.agent, self.replay, self.streams["improve"]
        which = self.some_tasks(config.batch_tasks)
        match agent.encoder.context_kind:
            case "step":
                return agent.encode_transitions(self.transitions(which))
            case "trial":
                segment = replay.sample_segments(which, config.segment or replay.length, rng)
                moves, aux = agent.encode_segment(segment)
                if config.batch < moves.mask.shape[1]:
                    moves = moves.at(some_steps(moves.mask.sum(1), config.batch, rng))
                return moves, aux
            case "set":
                evidence = self.context_for(which)
                return agent.encode_given_context(self.transitions(which), evidence, rng)
