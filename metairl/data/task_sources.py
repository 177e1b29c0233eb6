"""Task sources: which tasks a training loop samples, and how their environments are built.

TrainingTasks        the card's training distribution
SingleTask           one task alone, for adaptation by training
DemonstratedTasks    tasks with demonstrations and an environment without reward, for online imitation
SuccessExampleTasks  tasks with examples of success and an environment without reward, for VICE
"""

from typing import Protocol

import torch
from torch import Generator, Tensor

from metairl.core.errors import DamagedFile
from metairl.core.interfaces import Encoder, Env, SetEncoder, SuccessExampleEnv
from metairl.core.rng import stream
from metairl.core.types import Batch, Spec, Tasks
from metairl.data.offline_dataset import OfflineDataset
from metairl.envs import make
from metairl.envs.engines import Kind
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet


class TaskSource(Protocol):
    card: TaskCard
    spec: Spec

    def draw(self, count: int, rng: Generator) -> TaskSet:
        """Training tasks, with repetition."""
        ...

    def different(self, count: int, rng: Generator) -> TaskSet:
        """A fixed set of training tasks, without repetition while there are others."""
        ...

    def env(self, tasks: Tasks, rng: Generator) -> Env: ...


class EnvSource:
    """Builds a card's environments, stepped by one engine."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind):
        self.card, self.spec, self.engine = card, spec, engine

    def env(self, tasks: Tasks, rng: Generator) -> Env:
        return make(self.card, tasks, rng, self.engine)

    def parameters(self, task: TaskSet) -> list[float]:
        """The parameters of one task, as policies that observe the task read them."""
        values: list[float] = self.env(task[slice(1)], torch.Generator()).task[0].tolist()
        return values


class TrainingTasks(EnvSource):
    """Samples the card's training distribution; a held-out task raises."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind = "cpu"):
        super().__init__(card, spec, engine)
        self.held_out = sampling.held_out(card)

    def draw(self, count: int, rng: Generator) -> TaskSet:
        return self.check(sampling.train_tasks(self.card, count, rng))

    def different(self, count: int, rng: Generator) -> TaskSet:
        return self.check(sampling.different_train_tasks(self.card, count, rng))

    def check(self, tasks: TaskSet) -> TaskSet:
        sampling.check_unseen(tasks, self.held_out)
        return tasks


class SingleTask(EnvSource):
    """The same task again and again."""

    def __init__(self, card: TaskCard, spec: Spec, task: TaskSet, engine: Kind = "cpu"):
        super().__init__(card, spec, engine)
        self.task = task

    def draw(self, count: int, rng: Generator) -> TaskSet:
        return TaskSet(self.card.id, self.task.split, self.task[torch.zeros(count, dtype=torch.long)])

    def different(self, count: int, rng: Generator) -> TaskSet:
        return self.draw(count, rng)


class DemonstratedTasks(EnvSource):
    """The tasks that there are demonstrations of, in the demonstrations' order."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind, tasks: TaskSet, demos: OfflineDataset):
        super().__init__(card, spec, engine)
        self.tasks, self.demos = tasks, demos
        parameters = self.env(tasks[:], Generator()).task
        recorded = demos.replay.tasks
        if parameters.shape != recorded.shape or not parameters.float().allclose(recorded):
            raise DamagedFile(f"the demonstrations of '{card.id}' are of other tasks than their dataset says")

    def __len__(self) -> int:
        return len(self.demos)

    def draw(self, count: int, rng: Generator) -> TaskSet:
        return self.select(torch.randint(len(self.demos), (count,), generator=rng))

    def different(self, count: int, rng: Generator) -> TaskSet:
        return self.select(torch.arange(len(self.demos)))

    def select(self, which: Tensor) -> TaskSet:
        return TaskSet(self.card.id, self.tasks.split, self.tasks[which])

    def context_for(self, which: Tensor, count: int, encoder: Encoder, rng: Generator) -> Batch | None:
        """Demonstrated transitions that set encoders infer these tasks from; None for other encoders."""
        if not isinstance(encoder, SetEncoder):
            return None
        return self.demos.sample_context(which, count, encoder.reads_in_order, rng)


class SuccessExampleTasks(TrainingTasks):
    """N training tasks, sampled once, with as many examples of success each as the card says."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind, count: int, seed: int):
        super().__init__(card, spec, engine)
        rng = stream("examples", card.id, seed)
        self.tasks = self.different(count, rng)
        self.examples = success_examples(self.env(self.tasks[:], Generator()), card, rng)  # [N, n, O]

    def __len__(self) -> int:
        return len(self.tasks)

    def context_for(self, which: Tensor, count: int, encoder: Encoder, rng: Generator) -> Batch | None:
        """Examples that set encoders infer these tasks from, in random order; None for other encoders."""
        if not isinstance(encoder, SetEncoder):
            return None
        order = torch.randperm(self.examples.shape[1], generator=rng)[:count]
        return as_context(self.examples[which][:, order], self.spec)


def success_examples(env: Env, card: TaskCard, rng: Generator) -> Tensor:
    """Success states of every task, as many as the card says, [B, n, O]."""
    assert card.examples and isinstance(env, SuccessExampleEnv), "checked by the method's requirements"
    return env.examples(card.examples, rng)


def as_context(examples: Tensor, spec: Spec) -> Batch:
    """States as transitions to themselves, with zero actions and rewards."""
    zero = torch.zeros(examples.shape[:2])
    tasks = len(examples)
    return Batch(
        obs=examples,
        action=torch.zeros(*zero.shape, spec.actions),
        reward=zero,
        training_reward=zero,
        next_obs=examples,
        done=zero,
        terminated=zero,
        mask=zero + 1,
        task=torch.zeros(tasks, spec.params),
        family=torch.zeros(tasks, dtype=torch.long),
        is_demo=zero + 1,
    )
