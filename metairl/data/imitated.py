"""Tasks that were demonstrated, to be lived in without reward: for imitation with a world at hand."""

import torch
from torch import Generator, Tensor

from metairl.core.errors import DamagedFile
from metairl.core.interfaces import Encoder, SetEncoder
from metairl.core.types import Batch, Spec
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.task_sources import EnvSource
from metairl.envs.engines import Kind
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet


class DemonstratedTasks(EnvSource):
    """As a source draws only these, one for each row of the demonstrations."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind, tasks: TaskSet, demos: OfflineDataset):
        super().__init__(card, spec, engine)
        self.tasks, self.demos = tasks, demos
        told = self.env(tasks[:], Generator()).task
        if told.shape != demos.replay.tasks.shape or not told.float().allclose(demos.replay.tasks):
            raise DamagedFile(
                f"the demonstrations of '{card.id}' are not of the tasks they are said to be of"
            )

    def __len__(self) -> int:
        return len(self.demos)

    def draw(self, count: int, rng: Generator) -> TaskSet:
        return self.select(torch.randint(len(self.demos), (count,), generator=rng))

    def different(self, count: int, rng: Generator) -> TaskSet:
        return self.select(torch.arange(len(self.demos)))

    def select(self, which: Tensor) -> TaskSet:
        return TaskSet(self.card.id, self.tasks.split, self.tasks[which])

    def context_for(self, which: Tensor, count: int, encoder: Encoder, rng: Generator) -> Batch | None:
        """What tasks are inferred from, by encoders that infer."""
        if not isinstance(encoder, SetEncoder):
            return None
        return self.demos.some(which, count, encoder.reads_in_order, rng)
