"""Run folders and the records in them, from which all tables are computed.

    run.json        configuration, code and library versions, machine, and how the run ended
    records.jsonl   one JSON line a record: `Training` metrics, `Evaluation` results of an episode index
    checkpoint/     see metairl/core/checkpoint.py
    stages/         networks at every evaluation, where they are kept, as experts of different quality

A line ends with a CRC of its text. NaN and infinities are written as strings. The file is only appended to;
a resumed run first truncates it to the size stored in its checkpoint.
"""

import json
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metairl.core.errors import DamagedFile, Incompatible, StorageError
from metairl.core.old_names import renamed_record, renamed_run

SCHEMA = 1


@dataclass(frozen=True)
class Training:
    """Training progress: steps, the metrics of the training loop, and wall-clock time by phase."""

    env_steps: int
    gradient_steps: int
    metrics: dict[str, float]
    seconds: dict[str, float]

    @property
    def clock(self) -> int:
        """The count that the budget limits: environment steps, or gradient steps in offline training."""
        return self.env_steps or self.gradient_steps


@dataclass(frozen=True)
class Evaluation:
    """Results of episode k on every task of a split at one point of training; item i of a list is task i."""

    split: str
    k: int  # episode index inside the trial, from 1
    tasks_sha256: str  # of the split's task parameters, in order
    env_steps: int  # in training, before this evaluation
    gradient_steps: int  # in training, before this evaluation
    adapt_steps: int  # environment steps in each held-out task before this episode
    eval_steps: int  # environment steps of this episode, over all tasks
    returns: list[float]
    lengths: int | list[int]  # one number where all are equal
    success: list[int] | None  # None if the task does not report success
    seconds: dict[str, float]
    diverged: int = 0  # tasks whose simulation diverged, which ended the episode
    measures: dict[str, list[float]] | None = None  # exact metrics, if the task is a finite MDP

    @property
    def clock(self) -> int:
        """The count that the budget limits: environment steps, or gradient steps in offline training."""
        return self.env_steps or self.gradient_steps

    @property
    def all_lengths(self) -> list[int]:
        return self.lengths if isinstance(self.lengths, list) else [self.lengths] * len(self.returns)


Record = Training | Evaluation
KINDS: dict[str, type[Training] | type[Evaluation]] = {"training": Training, "evaluation": Evaluation}


def to_line(record: Record) -> str:
    kind = next(name for name, cls in KINDS.items() if isinstance(record, cls))
    body = json.dumps(_to_json({"kind": kind} | asdict(record)), separators=(",", ":"), allow_nan=False)
    return with_checksum(body)


def from_line(line: str, where: str) -> Record:
    fields: dict[str, Any] = renamed_record(_from_json(checked_json(line, where)))
    return KINDS[fields.pop("kind")](**fields)


def with_checksum(body: str) -> str:
    """A JSON object with the CRC of its text as its last key."""
    return f'{body[:-1]},"crc":"{zlib.crc32(body.encode()):08x}"}}'


def checked_json(line: str, where: str) -> Any:
    """Parses a line of `with_checksum`; an altered one raises an error that names `where`."""
    body, _, crc = line.rpartition(',"crc":"')
    if not body or f'{zlib.crc32((body + "}").encode()):08x}"}}' != crc:
        raise DamagedFile(f"{where}: the line is not as it was written (its checksum differs)")
    return json.loads(body + "}")


class RunFolder:
    """The folder of one run. Appends are flushed to disk, and reads verify every line."""

    def __init__(self, path: Path):
        self.path = path
        self.run_file = path / "run.json"
        self.records_file = path / "records.jsonl"
        self.checkpoints = path / "checkpoint"
        self.stages = path / "stages"

    def create(self) -> None:
        with writing(self.path):
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.stages.mkdir(exist_ok=True)
            self.records_file.touch()

    def describe(self, run: dict[str, Any]) -> None:
        write_atomically(self.run_file, (json.dumps(_to_json(run), indent=2) + "\n").encode())

    def description(self) -> dict[str, Any]:
        try:
            run: dict[str, Any] = _from_json(json.loads(self.run_file.read_bytes()))
        except FileNotFoundError:
            raise StorageError(f"{self.path}: not a run folder (it has no run.json)") from None
        except ValueError as fault:
            raise DamagedFile(f"{self.run_file}: not valid JSON ({fault})") from None
        schema = run.get("schema", SCHEMA)
        if schema != SCHEMA:
            by = made_by(run)
            raise Incompatible(
                f"{self.path}: made by {by}, in schema {schema}; this version reads schema {SCHEMA}"
            )
        return renamed_run(run)

    def append(self, records: list[Record]) -> None:
        """Appends all of the records, or none if the disk is full."""
        before = self.size()
        lines = "".join(to_line(record) + "\n" for record in records).encode()
        with writing(self.records_file):
            try:
                with self.records_file.open("ab") as file:
                    file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                os.truncate(self.records_file, before)
                raise

    def size(self) -> int:
        return self.records_file.stat().st_size if self.records_file.exists() else 0

    def cut(self, size: int) -> None:
        """Drops the records after a checkpoint; a resumed run writes them again, identically."""
        if self.size() < size:
            raise DamagedFile(
                f"{self.records_file}: {self.size()} bytes, but the checkpoint was saved at {size}"
            )
        with writing(self.records_file):
            os.truncate(self.records_file, size)

    def records(self) -> Iterator[Record]:
        with self.records_file.open() as file:
            for number, line in enumerate(file, start=1):
                yield from_line(line.rstrip("\n"), f"{self.records_file}:{number}")


def made_by(run: dict[str, Any]) -> str:
    """The version of metairl that wrote a run.json."""
    return f"metairl {run.get('versions', {}).get('metairl', '(unknown version)')}"


class writing:  # noqa: N801 - a context manager: with writing(path): ...
    """Turns an OSError while writing into a StorageError that names the file."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, OSError):
            raise StorageError(f"{self.path}: cannot write ({fault.strerror})") from None


def write_atomically(path: Path, content: bytes) -> None:
    """Writes all of the content or none of it, even if power fails."""
    temporary = path.with_name(f".{path.name}.part")
    with writing(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _to_json(value: Any) -> Any:
    """Non-finite floats as strings, which JSON lacks; integer-valued floats without ".0", to shorten lines."""
    if isinstance(value, float):
        return str(value) if not math.isfinite(value) else int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(item) for item in value]
    return value


def _from_json(value: Any) -> Any:
    """Strings of non-finite floats back to floats."""
    if value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, dict):
        return {key: _from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return value
