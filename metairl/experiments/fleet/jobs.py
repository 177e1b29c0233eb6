"""What a fleet does: runs that were asked for, each in a folder that says what is asked and how far it is.

    planned → running → completed | failed | interrupted

The folder is all that a worker needs, wherever it is: it claims it and goes on from its checkpoint.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from metairl.core.errors import DamagedFile, MetairlError, StorageError
from metairl.core.records import Evaluation, RunFolder, Training, from_line
from metairl.experiments.request import Request
from metairl.experiments.run import plan

TAIL = 2**16  # bytes of records that a glance reads


@dataclass(frozen=True)
class Job:
    """One run."""

    request: Request
    path: Path
    label: str = ""  # where its name is that of others too
    fault: str = ""  # its folder cannot be used

    @property
    def name(self) -> str:
        request = self.request
        encoder = f"+{request.encoder}" if request.encoder else ""
        variant = "".join(f" {key}={value}" for key, value in sorted(request.variant.items()))
        label = f", {self.label}" if self.label else ""
        return f"{request.method.label}{encoder}{variant} {request.task} seed {request.seed}{label}"

    @property
    def log(self) -> Path:
        """What its workers said."""
        return self.path / "worker.log"

    def completed(self) -> bool:
        try:
            return bool(RunFolder(self.path).description()["status"] == "completed")
        except MetairlError:  # its worker says so too
            return False

    def stamp(self) -> tuple[int, int]:
        """Changes whenever the run writes."""
        folder = RunFolder(self.path)
        kept = [file.stat().st_mtime_ns for file in folder.checkpoints.glob("*.json")]
        return folder.size(), max(kept, default=0)

    def complaint(self) -> str:
        """The last line of its log."""
        said = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line.strip() for line in reversed(said) if line.strip()), "")


def jobs_of(requests: Iterable[Request], root: Path) -> list[Job]:
    """In their own folders below a root."""
    return [Job(request, request.folder(root)) for request in requests]


def planned(jobs: Iterable[Job]) -> list[Job]:
    """With folders that say what is asked; one that holds another run is refused here, before any starts."""
    return [_planned(job) for job in jobs]


def _planned(job: Job) -> Job:
    """What a disk refuses is that run's failure; the others can still be made."""
    try:
        plan(job.request, job.path)
    except (DamagedFile, StorageError) as fault:
        return replace(job, fault=str(fault))
    return job


@dataclass(frozen=True)
class Glance:
    """How far a run is."""

    clock: int = 0
    score: float | None = None  # mean return of its newest validation


def glance(job: Job) -> Glance:
    return glance_at(RunFolder(job.path))


def glance_at(folder: RunFolder) -> Glance:
    """From the end of its records; a line that is being written is not there yet."""
    file = folder.records_file
    try:
        with file.open("rb") as records:
            records.seek(max(0, file.stat().st_size - TAIL))
            lines = records.read().split(b"\n")[:-1]
    except OSError:  # not there yet, or nothing that can be read: its worker will say so
        return Glance()
    seen = Glance()
    for line in lines[1:] or lines:
        try:
            record = from_line(line.decode(), str(file))
        except (DamagedFile, UnicodeDecodeError):
            continue
        if isinstance(record, Training):
            seen = Glance(record.clock, seen.score)
        elif isinstance(record, Evaluation) and record.split == "validation":
            seen = Glance(record.clock, sum(record.returns) / len(record.returns))
    return seen
