"""Training tasks with states of success each, to be lived in without reward."""

from torch import Generator, Tensor

from metairl.agent import Encoder
from metairl.cards import TaskCard
from metairl.source import TrainingTasks
from metairl.streams import stream
from metairl.types import GoalWorld, Spec
from metairl.worlds.engine import Kind


class Exemplified(TrainingTasks):
    """N of them, drawn once: as many examples of every one as its card says."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind, count: int, seed: int):
        super().__init__(card, spec, engine)
        assert card.examples, "a card that says how many"
        chance = stream("examples", card.id, seed)
        self.tasks = self.different(count, chance)
        world = self.world(self.tasks[:], Generator())
        assert isinstance(world, GoalWorld), "a world that knows its goals"
        self.examples = world.examples(card.examples, chance)  # [N, n, O]

    def __len__(self) -> int:
        return len(self.tasks)

    def evidence(self, which: Tensor, count: int, encoder: Encoder, rng: Generator) -> None:
        """Tasks are told, not inferred."""
