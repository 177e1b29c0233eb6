"""Pairs of segments in an order fixed by the seed, without those that the file of answers already has."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from metairl.core.errors import UsageError
from metairl.core.rng import stream
from metairl.data.replay import Replay
from metairl.rewards.preferences import segment_pairs as segments
from metairl.rewards.preferences.human_answers import Answer, Word, append, check_inside, read
from metairl.rewards.preferences.segment_pairs import Pairs

TRIES = 10  # pairs drawn for every question: some are too short, some repeat


@dataclass(frozen=True)
class Question:
    """Two segments of one task, to be compared."""

    task: int
    trials: tuple[int, int]
    first: tuple[int, int]
    steps: int

    def answered(self, word: Word) -> Answer:
        return Answer(self.task, self.trials, self.first, self.steps, word)


class Questions:
    def __init__(self, replay: Replay, name: str, count: int, steps: int, seed: int, path: Path):
        self.replay, self.path, self.steps = replay, path, steps
        known = set()
        for where, answer in read(path) if path.exists() else ():
            check_inside(answer, replay, where)
            known.add(answer.question)
        self.before = len(known)  # answers in the file at the start
        self.open = [q for q in self._drawn(name, count, seed) if q.answered("skip").question not in known]
        self.given = 0

    @property
    def current(self) -> Question | None:
        return self.open[self.given] if self.given < len(self.open) else None

    def numbered(self, number: str) -> Question | None:
        """The current question or an earlier one, by the number in a picture's address."""
        last = min(self.given, len(self.open) - 1)
        return self.open[int(number)] if number.isdecimal() and int(number) <= last else None

    def give(self, word: Word) -> None:
        """Saves an answer to the current question, on disk before the next one is served."""
        assert self.current is not None, "a question"
        append(self.path, self.current.answered(word))
        self.given += 1

    def clips(self, question: Question) -> tuple[Tensor, Tensor]:
        """The observations of both segments, [2, L, O], and the task, [P]."""
        places = segments.Places(
            torch.tensor([question.task]), torch.tensor([question.trials]), torch.tensor([question.first])
        )
        pairs: Pairs = segments.cut(self.replay, places, self.steps)
        return pairs.obs[0], pairs.task[0]

    def _drawn(self, name: str, count: int, seed: int) -> list[Question]:
        """Depends on the seed alone, not on the answers."""
        places = segments.draw(self.replay, TRIES * count, self.steps, stream("prefer", name, seed))
        found: dict[tuple[object, ...], Question] = {}
        for task, (a, b), (s, t) in zip(
            places.task.tolist(), places.trial.tolist(), places.first.tolist(), strict=True
        ):
            question = Question(task, (a, b), (s, t), self.steps)
            short = int(self.replay.lengths[task, [a, b]].min()) < self.steps
            if not short and (a, s) != (b, t):
                found.setdefault(question.answered("skip").question, question)
        if len(found) < count:
            raise UsageError(f"this dataset has fewer than {count} different pairs of {self.steps} steps")
        return list(found.values())[:count]
