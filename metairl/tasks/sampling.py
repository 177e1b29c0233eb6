"""Samples the tasks of a card.

Held-out splits depend on the card only, so that all methods and seeds are evaluated on the same tasks. Endless
training tasks are sampled with the run's seed.
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
    Distribution,
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
    """N tasks of one split of a card, in order."""

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
        """A hash of each task's parameters; two tasks are the same if and only if their hashes are."""
        rows = torch.cat([values.flatten(1) for values in self.tasks.values()], dim=1).numpy()
        return [hashlib.sha256(row.tobytes()).hexdigest() for row in rows]

    @property
    def sha256(self) -> str:
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()


def sample_tasks(card: TaskCard, count: int, rng: Generator, split: str = "train") -> Tasks:
    """New tasks, parameter by parameter in the card's order."""
    return {name: _sample(one, split, count, rng) for name, one in card.parameters.items()}


def task_set(card: TaskCard, split: str) -> TaskSet:
    """A fixed split: `validation`, `test`, or `train` if the card gives it a size."""
    count = getattr(card.split, split)
    if count == "endless":
        raise CardError(f"task '{card.id}': the train split is endless and has no fixed tasks")
    return TaskSet(card.id, split, sample_tasks(card, count, stream("tasks", card.id, split), split))


def can_sample_test_tasks(card: TaskCard) -> bool:
    """Whether more test tasks can be sampled; not if the card lists them."""
    listed = [isinstance(one, Maps) for one in card.parameters.values()]
    return not any(listed) and not (card.arm and card.skill_goals.package is not None)


def test_cycle(card: TaskCard) -> int:
    """Number of test tasks after which the sequence of their skills repeats."""
    return len(card.skill_goals.test) if card.arm else 1


_FIXED: dict[str, TaskSet] = {}  # fixed training splits by card hash; held-out ones are not cached


def train_tasks(card: TaskCard, count: int, rng: Generator) -> TaskSet:
    """Tasks to train on: new ones of an endless split, else of the fixed ones with replacement."""
    if card.split.train == "endless":
        return TaskSet(card.id, "train", sample_tasks(card, count, rng))
    return _fixed_tasks(card, torch.randint(card.split.train, (count,), generator=rng))


def different_train_tasks(card: TaskCard, count: int, rng: Generator) -> TaskSet:
    """A set of tasks to train on repeatedly; no fixed one occurs twice before all have occurred once."""
    if card.split.train == "endless":
        return TaskSet(card.id, "train", sample_tasks(card, count, rng))
    size = card.split.train
    rounds = [torch.randperm(size, generator=rng) for _ in range(-(-count // size))]
    return _fixed_tasks(card, torch.cat(rounds)[:count])


def _fixed_tasks(card: TaskCard, rows: Tensor) -> TaskSet:
    """Rows of the card's fixed training split."""
    if card.sha256 not in _FIXED:
        _FIXED[card.sha256] = task_set(card, "train")
    return TaskSet(card.id, "train", _FIXED[card.sha256][rows])


def skills(card: TaskCard) -> tuple[int, ...]:
    """Indices of the card's training skills among all skills; empty for cards without skills."""
    return tuple(map(NAMES.index, card.skill_goals.train)) if card.arm else ()


def families(card: TaskCard, tasks: Tasks) -> Tensor:
    """Index of each task's skill among the card's training skills, [N]; 0 for cards without skills."""
    first = next(iter(tasks.values()))
    if card.arm is None:
        return torch.zeros(len(first), dtype=torch.long)
    return (tasks["goal"][:, :1].long() == torch.tensor(skills(card))).long().argmax(1)


def held_out(card: TaskCard) -> frozenset[str]:
    """Hashes of all validation and test tasks, those of the cards it transfers to included.

    Raises an error if two splits of the card share a task, unless the card declares them the same.
    """
    if card.same_tasks:
        return frozenset()
    validation, test = task_set(card, "validation"), task_set(card, "test")
    check_unseen(validation, frozenset(test.digests))
    hashes = frozenset(validation.digests).union(test.digests)
    if card.split.train != "endless":
        check_unseen(task_set(card, "train"), hashes)
    return hashes.union(*(task_set(catalogue.task(name), "test").digests for name in card.transfer))


def check_unseen(tasks: TaskSet, held_out: frozenset[str]) -> None:
    """Raises an error if a task is held out."""
    shared = [index for index, digest in enumerate(tasks.digests) if digest in held_out]
    if shared:
        first = f"{tasks.split}[{shared[0]}]"
        what = f"{len(shared)} {tasks.split} tasks are held-out tasks too (the first is {first})"
        raise CardError(f"task '{tasks.card}': {what}")


def _sample(dist: Distribution, split: str, count: int, rng: Generator) -> Tensor:
    match dist:
        case Uniform():
            # scalars need 64 bits: with the 24 of float32, training tasks would coincide with held-out ones
            dtype = torch.float64 if dist.shape == [1] else torch.float32
            return dist.low + (dist.high - dist.low) * torch.rand(
                (count, *dist.shape), generator=rng, dtype=dtype
            )
        case Normal():
            return dist.mean + dist.std * torch.randn((count, *dist.shape), generator=rng)
        case Simplex():
            weights = torch.empty((count, *dist.shape)).exponential_(generator=rng)
            return weights / weights.sum(-1, keepdim=True)
        case Power():
            power = dist.low + (dist.high - dist.low) * torch.rand((count, *dist.shape), generator=rng)
            return dist.base**power
        case Disc():
            radius = dist.radius * torch.rand(count, generator=rng).sqrt()
            return _on_circle(radius, 2 * torch.rand(count, generator=rng))
        case Arc():
            turns = torch.rand(count, generator=rng, dtype=torch.float64)
            return _on_circle(
                torch.tensor(dist.radius),
                dist.low + (dist.high - dist.low) * turns,
            )
        case OneOf():
            random = torch.randint(len(dist.values), (count,), generator=rng)
            which = random if split == "train" else torch.arange(count) % len(dist.values)
            return torch.tensor(dist.values)[which, None]
        case Maze():
            return draw_plans(dist.cells, count, rng)
        case SkillGoals():
            return _skill_goals(dist, split, count, rng)
        case Maps():
            return torch.tensor([read_map(text) for text in getattr(dist, split)[:count]])


def _skill_goals(goals: SkillGoals, split: str, count: int, rng: Generator) -> Tensor:
    skills = goals.test if split == "test" else goals.train
    if goals.package is not None and split != "validation":
        return package_goals(skills, goals.package + (goals.package_next and split == "test"))[:count]
    if goals.inner is None:
        return draw_goals(skills, count, rng)
    return draw_goals(skills, count, rng, "outer" if split == "test" else "inner", goals.inner)


def _on_circle(radius: Tensor, half_turns: Tensor) -> Tensor:
    angle = torch.pi * half_turns
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
