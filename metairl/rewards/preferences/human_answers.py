"""A person's answers about pairs of segments of a dataset: a file of lines, appended as they are given.

    {"task": 3, "trials": [0, 4], "first": [0, 25], "steps": 25, "answer": "left", "crc": "…"}

`task` and `trials` are indices into the dataset, `first` the steps at which the segments start. `left` is the
first segment of the pair; `right`, `equal` and `skip` are the other answers. A line ends with a CRC of its
own text, as records do. A damaged file is refused as a whole; the error names the first bad line.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import TypeAdapter, ValidationError

from metairl.core.errors import DamagedFile, StorageError
from metairl.core.records import checked_json, with_checksum, writing
from metairl.data.replay import Replay
from metairl.rewards.preferences.segment_pairs import Places

Word = Literal["left", "right", "equal", "skip"]
FIRST: dict[Word, float] = {"left": 1.0, "right": 0.0, "equal": 0.5}


@dataclass(frozen=True)
class Answer:
    task: int
    trials: tuple[int, int]
    first: tuple[int, int]
    steps: int
    answer: Word

    @property
    def question(self) -> tuple[Any, ...]:
        """An identity that does not depend on which segment is on the left."""
        return (self.task, self.steps, *sorted(zip(self.trials, self.first, strict=True)))

    @property
    def leftmost(self) -> Word:
        """The answer with the segment that comes first in the dataset on the left."""
        turned: dict[Word, Word] = {"left": "right", "right": "left"}
        sides = list(zip(self.trials, self.first, strict=True))
        return self.answer if sides == sorted(sides) else turned.get(self.answer, self.answer)


def append(path: Path, answer: Answer) -> None:
    """On disk when this returns."""
    with writing(path), path.open("a") as file:
        file.write(with_checksum(json.dumps(asdict(answer), separators=(",", ":"))) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> Iterator[tuple[str, Answer]]:
    """Every answer and its place in the file."""
    try:
        lines = path.read_text().splitlines()
    except OSError as fault:
        raise StorageError(f"{path}: cannot read ({fault.strerror})") from None
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        try:
            yield where, TypeAdapter(Answer).validate_python(checked_json(line, where))
        except ValidationError as fault:
            error = fault.errors()[0]
            key = ".".join(map(str, error["loc"]))
            raise DamagedFile(f"{where}: '{key}': {error['msg']}") from None


def answered(path: Path, replay: Replay) -> tuple[Places, torch.Tensor, int]:
    """The pairs that were not skipped, y of each, and the length of their segments."""
    known: dict[tuple[Any, ...], tuple[str, Word]] = {}
    answers: list[Answer] = []
    for where, answer in read(path):
        check_inside(answer, replay, where)
        if answers and answer.steps != answers[0].steps:
            raise DamagedFile(f"{where}: segments of {answer.steps} steps among those of {answers[0].steps}")
        if answer.question in known:
            before, word = known[answer.question]
            how = "again" if word == answer.leftmost else "otherwise"
            raise DamagedFile(f"{where}: answers the question of {before} {how}")
        known[answer.question] = where, answer.leftmost
        answers.append(answer)
    given = [answer for answer in answers if answer.answer in FIRST]
    if not given:
        raise DamagedFile(f"{path}: no answers")
    columns = ([a.task for a in given], [a.trials for a in given], [a.first for a in given])
    places = Places(*(torch.tensor(column) for column in columns))
    return places, torch.tensor([FIRST[a.answer] for a in given]), given[0].steps


def check_inside(answer: Answer, replay: Replay, where: str) -> None:
    """Both segments lie in the dataset."""
    if not 0 <= answer.task < len(replay.num_trials):
        raise DamagedFile(f"{where}: task {answer.task} is not one of {len(replay.num_trials)}")
    trials = int(replay.num_trials[answer.task].clamp(max=replay.capacity))
    for trial, first in zip(answer.trials, answer.first, strict=True):
        if not 0 <= trial < trials:
            raise DamagedFile(f"{where}: trial {trial} is not one of the {trials} of task {answer.task}")
        length = int(replay.lengths[answer.task, trial])
        if answer.steps < 1 or first < 0 or first + answer.steps > length:
            last = first + answer.steps
            raise DamagedFile(
                f"{where}: steps {first} to {last} are not in trial {trial}, which has {length}"
            )
