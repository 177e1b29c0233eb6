"""Off-policy training: live trials in a fixed set of training tasks, keep them, improve on what was kept.

    at first         one trial in every training task
    an iteration     one trial in some of them, then ρ gradient steps for every step lived

What a gradient step reads depends on the encoder alone: any transitions, whole trials, or any transitions
and, apart from them, evidence that the same tasks are inferred from. Judging never reads what is kept.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from metairl import draws
from metairl.agent import Agent, OffPolicyLearner
from metairl.recipes.training import Means, Training
from metairl.replay import Replay, some_steps
from metairl.rollout import rollout
from metairl.source import Source
from metairl.types import Batch, Moves


@dataclass(frozen=True)
class Config:
    tasks: int = 100  # training tasks, drawn once
    trials: int = 10  # tasks an iteration, one trial each
    ratio: float = 0.1  # ρ, gradient steps for a step in the world
    batch_tasks: int = 16  # tasks of a gradient step
    batch: int = 256  # transitions of each that losses are of
    context: int = 100  # transitions that a task is inferred from, for encoders of sets
    recent: int = 1  # newest trials of a task that those are of
    keep: int = 1_000_000  # steps kept in all
    surgery: bool = False  # gradients of families of tasks that conflict are made to agree (PCGrad)
    shaped: bool = False  # learn values of the world's shaped reward; tasks are inferred from the true one
    learning_rate: float = 3e-4  # Adam
    max_gradient: float | None = None  # norm above which a gradient is scaled down


class OffPolicy(Training):
    def __init__(self, agent: Agent[OffPolicyLearner], source: Source, config: Config, seed: int):
        optimiser = torch.optim.Adam(agent.networks.parameters(), lr=config.learning_rate, fused=True)
        streams = ("tasks", "world", "act", "choose", "improve")
        super().__init__(agent.networks, optimiser, config.max_gradient, seed, streams)
        self.agent = agent
        self.source = source
        self.config = config
        self.tasks = source.draw(config.tasks, self.streams["tasks"])
        room = max(1, config.keep // (config.tasks * source.spec.steps))
        self.replay = Replay(room, draws.families(source.card, self.tasks.tasks), config.shaped)

    def iterate(self, progress: float) -> dict[str, float]:
        """One iteration; the first only lives, once in every task."""
        if self.env_steps == 0:
            return self._live(torch.arange(self.config.tasks))
        before = self.env_steps
        lived = self._live(self._some_tasks(self.config.trials))
        return lived | self._improve(round(self.config.ratio * (self.env_steps - before)))

    def state(self) -> dict[str, Any]:
        return super().state() | {"replay": self.replay.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.replay.load(state["replay"])

    def _some_tasks(self, count: int) -> Tensor:
        """Different ones, in no order."""
        return torch.randperm(self.config.tasks, generator=self.streams["choose"])[:count]

    def _live(self, which: Tensor) -> dict[str, float]:
        world = self.source.world(self.tasks[which], self.streams["world"])
        policy, sight = self.agent.policy(explore=True), self.agent.sight
        trial = rollout(policy, world, self.streams["act"], sight, final=True)
        self.replay.add(which, trial)
        came = trial.outcome
        self.env_steps += int(came.counts.sum())
        total = (came.reward * came.counts).sum(1).mean().item()
        return {"return": total, "lost": (came.lost & came.counts).sum().item()}

    def _improve(self, rounds: int) -> dict[str, float]:
        learner, chance, means = self.agent.learner, self.streams["improve"], Means()
        for _ in range(rounds):
            batch, evidence = self._kept()
            moves, aux = self.agent.moves(batch, evidence, chance)
            if (
                batch.counts.shape[1] > self.config.batch
            ):  # a whole trial was read, some of it is learned from
                moves = moves.at(some_steps(batch.counts.sum(1), self.config.batch, chance))
            means.add(self._descend(moves, aux))
            learner.after_step()
        return means.read()

    def _descend(self, moves: Moves, aux: Tensor) -> dict[str, Tensor]:
        learner, chance = self.agent.learner, self.streams["improve"]
        if not self.config.surgery:
            return self.descend(learner.losses(moves, chance) | {"encoder": aux})
        kinds = torch.unique(moves.family)
        apart = [learner.losses(moves[moves.family == kind], chance) | {"encoder": aux} for kind in kinds]
        return self.descend_together(apart, chance)

    def _kept(self) -> tuple[Batch, Batch | None]:
        """What one gradient step reads: transitions, and the evidence that their tasks are inferred from."""
        config, rng = self.config, self.streams["improve"]
        which = self._some_tasks(config.batch_tasks)
        match self.agent.encoder.reads:
            case "step":
                return self.replay.steps(which, config.batch, rng), None
            case "trial":
                return self.replay.trials(which, rng), None
            case "set":
                known = max(1, self.source.spec.episodes - 1)  # the last episode is evidence for none
                evidence = self.replay.evidence(which, config.context, known, config.recent, rng)
                return self.replay.steps(which, config.batch, rng), evidence
