"""Where the tasks that a recipe trains on come from, and the worlds they are lived in."""

from typing import Protocol

import torch
from torch import Generator

from metairl.core.interfaces import Env
from metairl.core.types import Spec, Tasks
from metairl.envs import make
from metairl.envs.engines import Kind
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet


class TaskSource(Protocol):
    card: TaskCard
    spec: Spec

    def draw(self, count: int, rng: Generator) -> TaskSet:
        """Any training tasks."""
        ...

    def different(self, count: int, rng: Generator) -> TaskSet:
        """Training tasks to come back to, no two of them equal while there are others."""
        ...

    def env(self, tasks: Tasks, chance: Generator) -> Env: ...


class EnvSource:
    """A card's worlds, stepped by one engine."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind):
        self.card, self.spec, self.engine = card, spec, engine

    def env(self, tasks: Tasks, chance: Generator) -> Env:
        return make(self.card, tasks, chance, self.engine)

    def parameters(self, task: TaskSet) -> list[float]:
        """Of one task, as methods that are told it read them."""
        told: list[float] = self.env(task[slice(1)], torch.Generator()).task[0].tolist()
        return told


class TrainingTasks(EnvSource):
    """Drawn from the card's training law, never a held-out one."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind = "cpu"):
        super().__init__(card, spec, engine)
        self.held_out = sampling.held_out(card)

    def draw(self, count: int, rng: Generator) -> TaskSet:
        return self.unseen(sampling.train_tasks(self.card, count, rng))

    def different(self, count: int, rng: Generator) -> TaskSet:
        return self.unseen(sampling.different_train_tasks(self.card, count, rng))

    def unseen(self, drawn: TaskSet) -> TaskSet:
        """The same tasks, if none of them is held out."""
        sampling.check_unseen(drawn, self.held_out)
        return drawn


class SingleTask(EnvSource):
    """A single task, again and again: what adapting to it by training needs."""

    def __init__(self, card: TaskCard, spec: Spec, task: TaskSet, engine: Kind = "cpu"):
        super().__init__(card, spec, engine)
        self.task = task

    def draw(self, count: int, rng: Generator) -> TaskSet:
        return TaskSet(self.card.id, self.task.split, self.task[torch.zeros(count, dtype=torch.long)])

    def different(self, count: int, rng: Generator) -> TaskSet:
        return self.draw(count, rng)
