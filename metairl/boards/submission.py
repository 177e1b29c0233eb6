"""What a submission is: a sheet that says who and what, and the run folders that say how well.

    submission.json            this schema, version 1
    SHA256SUMS                 of every other file
    TASK/seed-N/run.json       what was asked for, by which code, on which machine, as training wrote it
    TASK/seed-N/records.jsonl  every judged episode and the curves before, a checksum a line
    TASK/seed-N/checkpoint/    the last parameters, where the row wants to be run again

The records are the truth; the sheet's claims are recomputed from them.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from metairl.boards.bundle import SHEET, Bundle
from metairl.boards.strict import Commit, Link, Name, Sealed, Sha256, Text, fitted, parse
from metairl.core.errors import Refused
from metairl.core.old_names import renamed_record, renamed_run
from metairl.core.records import Evaluation, Training

Count = Field(ge=0, le=10**12)
Slug = Field(pattern=r"^[a-z0-9][a-z0-9+.-]{0,79}$")
Family = Literal[
    "meta", "multi-task", "imitation", "inverse", "offline", "transfer", "classical", "reference", "other"
]
Word = Literal["nan", "inf", "-inf"]  # how a record writes what is no number


class Code(Sealed):
    repository: Link
    commit: Commit


class Method(Sealed):
    name: Name
    slug: str = Slug  # a row's address on the board
    family: Family
    description: Text
    encoder: Name | None = None
    paper: Text | None = None
    url: Link | None = None
    code: Code | None = None


class Claim(Sealed):
    """The mean score of a column, over its seeds and tasks."""

    column: Name
    score: float
    seeds: int = Field(ge=1, le=10_000)
    tasks: int = Field(ge=1, le=1_000_000)


class Sheet(Sealed):
    """submission.json"""

    schema_version: Literal[1]
    board: str = Slug
    rules: str = Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}$")
    support: Name
    method: Method
    authors: list[Name] = Field(min_length=1, max_length=50)
    date: date
    licence: Name
    claims: list[Claim] = Field(min_length=1, max_length=1_000)
    aggregate: float | None  # interquartile mean; null where a column is missing
    notes: Text = ""


class RunFile(Sealed):
    """run.json"""

    schema_: Literal[1] = Field(alias="schema")
    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    method: Name
    regime: Literal["meta", "scratch", "fine-tune"] | None = None  # None: the method's default
    encoder: Name | None
    variant: dict[Name, Any] = Field(default_factory=dict)  # settings that a row of a table names
    task: Text
    card_sha256: Sha256
    seed: int = Field(ge=0, le=10**9)
    steps: int = Count
    config: dict[str, Any]
    engine: Literal["cpu", "gpu", "serial"] = "cpu"
    adapter: Name | None = None  # of an agent from outside: MODULE:FACTORY
    data_sha256: Sha256 | None = None
    train_data_sha256: Sha256 | None = None
    other_data_sha256: Sha256 | None = None
    versions: dict[Name, Name | None]
    commit: Commit | None
    dirty: bool
    hardware: Text
    threads: int = Field(ge=1, le=100_000)
    started: datetime
    finished: datetime
    status: Literal["completed"]
    resumed: int = Field(default=0, ge=0)
    searched: int = Field(default=0, ge=0)  # training steps of the search that chose its settings


class TrainingLine(Sealed):
    kind: Literal["training"]
    env_steps: int = Count
    gradient_steps: int = Count
    metrics: dict[Name, float | Word]
    seconds: dict[Name, float]


class EvaluationLine(Sealed):
    kind: Literal["evaluation"]
    split: Name
    k: int = Field(ge=1, le=10_000)
    tasks_sha256: Sha256
    env_steps: int = Count
    gradient_steps: int = Count
    adapt_steps: int = Count
    eval_steps: int = Count
    returns: list[float] = Field(min_length=1, max_length=1_000_000)
    lengths: int | list[int]
    success: list[Literal[0, 1]] | None
    seconds: dict[Name, float]
    diverged: int = Field(default=0, ge=0)
    measures: dict[Name, list[float | Word]] | None = None


@dataclass(frozen=True)
class Ran:
    """A run of a submission, as its files have it."""

    path: str  # TASK/seed-N
    made: RunFile
    training: list[Training]
    judged: list[Evaluation]

    @property
    def tested(self) -> list[Evaluation]:
        return [e for e in self.judged if e.split == "test"]


@dataclass(frozen=True)
class Submission:
    digest: str
    sheet: Sheet
    runs: list[Ran]


def read(bundle: Bundle, torn: bool = False) -> Submission:
    """All of it, or `Refused`. With `torn` unfinished last lines are left out."""
    sheet = fitted(Sheet, parse(bundle.read(SHEET), SHEET), SHEET)
    return Submission(bundle.digest, sheet, read_runs(bundle, torn))


def read_runs(bundle: Bundle, torn: bool = False) -> list[Ran]:
    return [_ran(bundle, path, torn) for path in bundle.runs]


def _ran(bundle: Bundle, path: str, torn: bool) -> Ran:
    file = f"{path}/run.json"
    made = fitted(RunFile, _today(renamed_run, parse(bundle.read(file), file)), file)
    _require_plain(made.config, f"{file}: config")
    training: list[Training] = []
    judged: list[Evaluation] = []
    for record in _records(bundle.read(f"{path}/records.jsonl"), f"{path}/records.jsonl", torn):
        if isinstance(record, Training):
            training.append(record)
        else:
            judged.append(record)
    return Ran(path, made, training, judged)


def _records(content: bytes, where: str, torn: bool) -> list[Training | Evaluation]:
    *lines, rest = content.split(b"\n")
    if rest and not torn:
        raise Refused(f"{where}:{len(lines) + 1}: the last line is torn; --torn uses the lines before it")
    return [_record(line, f"{where}:{number}") for number, line in enumerate(lines, start=1)]


def _record(line: bytes, where: str) -> Training | Evaluation:
    body, _, crc = line.rpartition(b',"crc":"')
    if not body or f'{zlib.crc32(body + b"}"):08x}"}}'.encode() != crc:
        raise Refused(f"{where}: the line is not the one that was written (its checksum differs)")
    value = _today(renamed_record, parse(body + b"}", where))
    if isinstance(value, dict) and value.get("kind") == "training":
        return Training(**_fields(fitted(TrainingLine, value, where)))
    return Evaluation(**_fields(fitted(EvaluationLine, value, where)))


def _today(rename: Callable[[dict[str, Any]], dict[str, Any]], value: Any) -> Any:
    """Under today's names; what is no object is refused by its schema."""
    return rename(value) if isinstance(value, dict) else value


def _fields(line: TrainingLine | EvaluationLine) -> dict[str, Any]:
    fields = line.model_dump(exclude={"kind"})
    if isinstance(line, TrainingLine):
        return fields | {"metrics": {name: float(value) for name, value in line.metrics.items()}}
    measures = {name: [float(v) for v in values] for name, values in (line.measures or {}).items()}
    return fields | {"measures": measures or None}


def _require_plain(value: Any, where: str) -> None:
    """Settings are free in their keys, and text all the same."""
    if isinstance(value, dict):
        for key, item in value.items():
            _require_plain(key, where)
            _require_plain(item, f"{where}.{key}")
    elif isinstance(value, list):
        for item in value:
            _require_plain(item, where)
    elif isinstance(value, str):
        fitted(_Plain, {"text": value}, where)


class _Plain(Sealed):
    text: Text
