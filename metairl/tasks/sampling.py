"""Draws the tasks of a card. Held-out splits depend on the card alone, so every method and seed meets
the same tasks; endless training tasks come from a stream of the run's own seed.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from metairl.core.errors import CardError
from metairl.core.rng import stream
from metairl.core.types import Tasks
from metairl.tasks import catalogue
from metairl.tasks.cards import TaskCard
from metairl.tasks.distributions import (
    Arc,
    Disc,
    Law,
    Maps,
    Maze,
    Normal,
    OneOf,
    Power,
    Simplex,
    SkillGoals,
    Uniform,
)
from metairl.tasks.maze_text import read_map
from metairl.tasks.mazes import draw_plans
from metairl.tasks.metaworld_boxes import NAMES
from metairl.tasks.metaworld_goals import draw_goals, package_goals


@dataclass(frozen=True)
class TaskSet:
    """N drawn tasks of one split of a card, in order."""

    card: str
    split: str
    tasks: Tasks  # each [N, …]

    def __len__(self) -> int:
        return len(next(iter(self.tasks.values())))

    def __getitem__(self, rows: slice | Tensor) -> Tasks:
        return {name: values[rows] for name, values in self.tasks.items()}

    def select(self, index: int) -> "TaskSet":
        return TaskSet(self.card, self.split, self[slice(index, index + 1)])

    @cached_property
    def digests(self) -> list[str]:
        """One hash a task, of its parameters' bytes: two tasks are the same task if and only if equal."""
        rows = torch.cat([values.flatten(1) for values in self.tasks.values()], dim=1).numpy()
        return [hashlib.sha256(row.tobytes()).hexdigest() for row in rows]

    @property
    def sha256(self) -> str:
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()


def draw(card: TaskCard, count: int, rng: Generator, split: str = "train") -> Tasks:
    """`count` fresh tasks, parameter by parameter in the card's order."""
    return {name: _sample(law, split, count, rng) for name, law in card.parameters.items()}


def task_set(card: TaskCard, split: str) -> TaskSet:
    """A fixed split: `validation`, `test`, or `train` where the card gives it a size."""
    count = getattr(card.split, split)
    if count == "endless":
        raise CardError(f"task '{card.id}': the train split is endless; draw from it with a stream")
    return TaskSet(card.id, split, draw(card, count, stream("tasks", card.id, split), split))


def endless(card: TaskCard) -> bool:
    """Whether ever new test tasks can be drawn: not where a card lists them."""
    listed = [isinstance(law, Maps) for law in card.parameters.values()]
    return not any(listed) and not (card.arm and card.skill_goals.package is not None)


def turns(card: TaskCard) -> int:
    """After how many test tasks their skills begin anew."""
    return len(card.skill_goals.test) if card.arm else 1


_FIXED: dict[str, TaskSet] = {}  # fixed training splits by card hash; held-out ones are drawn for every use


def train_tasks(card: TaskCard, count: int, rng: Generator) -> TaskSet:
    """Tasks to train on: new ones from an endless split, else a random choice of the fixed ones."""
    if card.split.train == "endless":
        return TaskSet(card.id, "train", draw(card, count, rng))
    return _chosen(card, torch.randint(card.split.train, (count,), generator=rng))


def different_train_tasks(card: TaskCard, count: int, rng: Generator) -> TaskSet:
    """Tasks to come back to: no fixed one a second time before all were there once."""
    if card.split.train == "endless":
        return TaskSet(card.id, "train", draw(card, count, rng))
    size = card.split.train
    rounds = [torch.randperm(size, generator=rng) for _ in range(-(-count // size))]
    return _chosen(card, torch.cat(rounds)[:count])


def _chosen(card: TaskCard, rows: Tensor) -> TaskSet:
    """Of the card's fixed training tasks."""
    if card.sha256 not in _FIXED:
        _FIXED[card.sha256] = task_set(card, "train")
    return TaskSet(card.id, "train", _FIXED[card.sha256][rows])


def skills(card: TaskCard) -> tuple[int, ...]:
    """The card's training skills by their places among all names; none where it has no skills."""
    return tuple(map(NAMES.index, card.skill_goals.train)) if card.arm else ()


def families(card: TaskCard, tasks: Tasks) -> Tensor:
    """Which of the card's training skills each task is of, [N]; 0 where it has no skills."""
    first = next(iter(tasks.values()))
    if card.arm is None:
        return torch.zeros(len(first), dtype=torch.long)
    return (tasks["goal"][:, :1].long() == torch.tensor(skills(card))).long().argmax(1)


def held_out(card: TaskCard) -> frozenset[str]:
    """Digests of every validation and test task, those of cards it transfers to among them.

    It is an error if two splits of the card share a task, unless the card says that they are the same.
    """
    if card.same_tasks:
        return frozenset()
    validation, test = task_set(card, "validation"), task_set(card, "test")
    check_unseen(validation, frozenset(test.digests))
    here = frozenset(validation.digests).union(test.digests)
    if card.split.train != "endless":
        check_unseen(task_set(card, "train"), here)
    return here.union(*(task_set(catalogue.task(name), "test").digests for name in card.transfer))


def check_unseen(drawn: TaskSet, held_out: frozenset[str]) -> None:
    """No drawn task is a held-out one."""
    shared = [index for index, known in enumerate(drawn.digests) if known in held_out]
    if shared:
        first = f"{drawn.split}[{shared[0]}]"
        what = f"{len(shared)} {drawn.split} tasks are held-out tasks too (the first is {first})"
        raise CardError(f"task '{drawn.card}': {what}")


def _sample(law: Law, split: str, count: int, rng: Generator) -> Tensor:
    match law:
        case Uniform():
            kind = torch.float64 if law.shape == [1] else torch.float32  # 24 bits would meet held-out ones
            return law.low + (law.high - law.low) * torch.rand((count, *law.shape), generator=rng, dtype=kind)
        case Normal():
            return law.mean + law.std * torch.randn((count, *law.shape), generator=rng)
        case Simplex():
            weights = torch.empty((count, *law.shape)).exponential_(generator=rng)
            return weights / weights.sum(-1, keepdim=True)
        case Power():
            power = law.low + (law.high - law.low) * torch.rand((count, *law.shape), generator=rng)
            return law.base**power
        case Disc():
            radius = law.radius * torch.rand(count, generator=rng).sqrt()
            return _on_circle(radius, 2 * torch.rand(count, generator=rng))
        case Arc():
            turns = torch.rand(count, generator=rng, dtype=torch.float64)
            return _on_circle(torch.tensor(law.radius), law.low + (law.high - law.low) * turns)
        case OneOf():
            inside = torch.randint(len(law.values), (count,), generator=rng)
            which = inside if split == "train" else torch.arange(count) % len(law.values)
            return torch.tensor(law.values)[which, None]
        case Maze():
            return draw_plans(law.cells, count, rng)
        case SkillGoals():
            return _skill_goals(law, split, count, rng)
        case Maps():
            return torch.tensor([read_map(text) for text in getattr(law, split)[:count]])


def _skill_goals(law: SkillGoals, split: str, count: int, rng: Generator) -> Tensor:
    skills = law.test if split == "test" else law.train
    if law.package is not None and split != "validation":
        return package_goals(skills, law.package + (law.package_next and split == "test"))[:count]
    if law.inner is None:
        return draw_goals(skills, count, rng)
    return draw_goals(skills, count, rng, "outer" if split == "test" else "inner", law.inner)


def _on_circle(radius: Tensor, half_turns: Tensor) -> Tensor:
    angle = torch.pi * half_turns
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
