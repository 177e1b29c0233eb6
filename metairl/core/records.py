"""The run folder and the lines in it: JSON, appended, checked, the only truth that tables are made from.

    run.json        what was asked for, by which code, on which machine, and how it ended
    records.jsonl   one line an event: `Training` as it goes, `Evaluation` for every judged episode index
    checkpoint/     see checkpoint.py
    stages/         networks at every judged moment, where they are kept: experts of every quality

A line ends with a CRC of its own text. A number that is not finite is written as the word it is, so
NaN stays NaN. Nothing is overwritten: a resumed run first cuts the file back to what its checkpoint knew.
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
    """What training has cost and how it goes; the numbers are the recipe's own."""

    env_steps: int
    gradient_steps: int
    metrics: dict[str, float]
    seconds: dict[str, float]

    @property
    def clock(self) -> int:
        """What the budget is counted in: environment steps, or gradient steps of methods without an environment."""
        return self.env_steps or self.gradient_steps


@dataclass(frozen=True)
class Evaluation:
    """Episode k of every task of a split, judged at one moment: column i of each list is task i."""

    split: str
    k: int  # episode index inside the trial, from 1
    tasks_sha256: str  # of the split's task parameters, in order
    env_steps: int  # training steps spent before this evaluation
    gradient_steps: int
    adapt_steps: int  # steps of the held-out task that preceded this episode
    eval_steps: int  # steps that judging this episode took
    returns: list[float]
    lengths: int | list[int]  # one number where all are equal
    success: list[int] | None  # None where the world has no notion of success
    seconds: dict[str, float]
    diverged: int = 0  # tasks whose simulation diverged in this episode, which ended there
    measures: dict[str, list[float]] | None = None  # exact ones, where the world's chart is known

    @property
    def clock(self) -> int:
        """What the budget is counted in: environment steps, or gradient steps of methods without an environment."""
        return self.env_steps or self.gradient_steps

    @property
    def all_lengths(self) -> list[int]:
        return self.lengths if isinstance(self.lengths, list) else [self.lengths] * len(self.returns)


Record = Training | Evaluation
KINDS: dict[str, type[Training] | type[Evaluation]] = {"training": Training, "evaluation": Evaluation}


def to_line(record: Record) -> str:
    kind = next(name for name, cls in KINDS.items() if isinstance(record, cls))
    body = json.dumps(_speakable({"kind": kind} | asdict(record)), separators=(",", ":"), allow_nan=False)
    return sealed(body)


def from_line(line: str, where: str) -> Record:
    fields: dict[str, Any] = renamed_record(_heard(unsealed(line, where)))
    return KINDS[fields.pop("kind")](**fields)


def sealed(body: str) -> str:
    """A JSON object with a CRC of its own text at its end."""
    return f'{body[:-1]},"crc":"{zlib.crc32(body.encode()):08x}"}}'


def unsealed(line: str, where: str) -> Any:
    """What was sealed; the line it stands in, if it is not the one that was written."""
    body, _, crc = line.rpartition(',"crc":"')
    if not body or f'{zlib.crc32((body + "}").encode()):08x}"}}' != crc:
        raise DamagedFile(f"{where}: the line is not the one that was written (its checksum differs)")
    return json.loads(body + "}")


class RunFolder:
    """A run's place on disk. Its writer appends and flushes; readers check every line."""

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
        write_atomically(self.run_file, (json.dumps(_speakable(run), indent=2) + "\n").encode())

    def description(self) -> dict[str, Any]:
        try:
            run: dict[str, Any] = _heard(json.loads(self.run_file.read_bytes()))
        except FileNotFoundError:
            raise StorageError(f"{self.path}: not a run folder (it has no run.json)") from None
        except ValueError as fault:
            raise DamagedFile(f"{self.run_file}: not valid JSON ({fault})") from None
        schema = run.get("schema", SCHEMA)
        if schema != SCHEMA:
            by = made_by(run)
            raise Incompatible(f"{self.path}: made by {by}, in schema {schema}; this one reads {SCHEMA}")
        return renamed_run(run)

    def append(self, records: list[Record]) -> None:
        """All of the records or none: what did not fit on the disk is taken back."""
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
        """Forget what was recorded after a checkpoint: a resumed run records it again, identically."""
        if self.size() < size:
            raise DamagedFile(f"{self.records_file}: {self.size()} bytes, but the checkpoint knew {size}")
        with writing(self.records_file):
            os.truncate(self.records_file, size)

    def records(self) -> Iterator[Record]:
        with self.records_file.open() as file:
            for number, line in enumerate(file, start=1):
                yield from_line(line.rstrip("\n"), f"{self.records_file}:{number}")


def made_by(run: dict[str, Any]) -> str:
    """The version of the suite that a run.json is of."""
    return f"metairl {run.get('versions', {}).get('metairl', 'of another version')}"


class writing:  # noqa: N801 - reads as a sentence: with writing(path): ...
    """Turn an operating system's refusal to write into one line that names the file."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, OSError):
            raise StorageError(f"{self.path}: cannot write ({fault.strerror})") from None


def write_atomically(path: Path, content: bytes) -> None:
    """All of the content or none of it, also through a power cut."""
    aside = path.with_name(f".{path.name}.part")
    with writing(path):
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _speakable(value: Any) -> Any:
    """JSON has no NaN: such floats become words. Whole floats lose their ".0", which shortens the lines."""
    if isinstance(value, float):
        return str(value) if not math.isfinite(value) else int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _speakable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_speakable(item) for item in value]
    return value


def _heard(value: Any) -> Any:
    if value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, dict):
        return {key: _heard(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_heard(item) for item in value]
    return value
