"""Where training tasks come from: drawn from a card, never a held-out one, and lived in as its worlds."""

from dataclasses import dataclass

from torch import Generator

from metairl import draws
from metairl.cards import TaskCard
from metairl.draws import TaskSet
from metairl.types import Spec, Tasks, World
from metairl.worlds import make
from metairl.worlds.engine import Kind


@dataclass(frozen=True)
class Source:
    card: TaskCard
    spec: Spec
    held_out: frozenset[str]  # digests of tasks that training must not meet
    engine: Kind = "cpu"

    def draw(self, count: int, rng: Generator) -> TaskSet:
        drawn = draws.train_tasks(self.card, count, rng)
        draws.require_unseen(drawn, self.held_out)
        return drawn

    def world(self, tasks: Tasks, chance: Generator) -> World:
        return make(self.card, tasks, chance, self.engine)
