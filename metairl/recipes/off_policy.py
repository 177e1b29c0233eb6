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
from metairl.types import Moves


@dataclass(frozen=True)
class Config:
    tasks: int = 100  # training tasks, drawn once
    trials: int = 10  # tasks an iteration, one trial each
    ratio: float = 0.1  # ρ, gradient steps for a step in the world
    batch_tasks: int = 16  # tasks of a gradient step
    batch: int = 256  # transitions of each that losses are of
    context: int = 100  # transitions that a task is inferred from, for encoders of sets
    recent: int = 1  # newest trials of a task that those are of
    segment: int | None = None  # steps read at a time by encoders of sequences, from what acting remembered
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
        self.tasks = source.different(config.tasks, self.streams["tasks"])
        room = max(1, config.keep // (config.tasks * source.spec.steps))
        families = draws.families(source.card, self.tasks.tasks)
        self.replay = Replay(room, source.spec.steps, families, config.shaped)

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
        trial = rollout(policy, world, self.streams["act"], sight, final=True, every=self._remembered())
        self.replay.add(which, trial)
        came = trial.outcome
        self.env_steps += int(came.counts.sum())
        total = (came.reward * came.counts).sum(1).mean().item()
        return {"return": total, "lost": (came.lost & came.counts).sum().item()}

    def _improve(self, rounds: int) -> dict[str, float]:
        means = Means()
        for _ in range(rounds):
            means.add(self._descend(*self._moves()))
            self.agent.learner.after_step()
        return means.read()

    def _remembered(self) -> int | None:
        """Steps between moments at which what acting remembers is kept, for segments to begin with."""
        return self.config.segment if self.agent.encoder.reads == "trial" else None

    def _descend(self, moves: Moves, aux: Tensor) -> dict[str, Tensor]:
        learner, chance = self.agent.learner, self.streams["improve"]
        if not self.config.surgery:
            return self.descend(learner.losses(moves, chance) | {"encoder": aux})
        kinds = torch.unique(moves.family)
        apart = [learner.losses(moves[moves.family == kind], chance) | {"encoder": aux} for kind in kinds]
        return self.descend_together(apart, chance)

    def _moves(self) -> tuple[Moves, Tensor]:
        """What one gradient step learns from, as the encoder has it read; the encoder's own loss."""
        config, agent, replay, rng = self.config, self.agent, self.replay, self.streams["improve"]
        which = self._some_tasks(config.batch_tasks)
        match agent.encoder.reads:
            case "step":
                return agent.moves_apart(replay.steps(which, config.batch, rng))
            case "trial":
                segment = replay.segments(which, config.segment or replay.length, rng)
                moves, aux = agent.moves_through(segment)
                if config.batch < moves.counts.shape[1]:
                    moves = moves.at(some_steps(moves.counts.sum(1), config.batch, rng))
                return moves, aux
            case "set":
                known = max(1, self.source.spec.episodes - 1)  # the last episode is evidence for none
                evidence = replay.evidence(which, config.context, known, config.recent, rng)
                return agent.moves_inferred(replay.steps(which, config.batch, rng), evidence, rng)
