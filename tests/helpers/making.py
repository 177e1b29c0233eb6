"""A sound submission to spoil, and the ways to write a spoilt one down."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from metairl.boards.bundle import SHEET, SUMS, Bundle
from metairl.boards.pack import About, seal
from metairl.core.records import Evaluation, from_line, to_line
from metairl.tasks import catalogue

RECORDS = catalogue.PACKAGE.parent / "results" / "records"
BOARD, ROW = "meta-imitation", "pi-v+pearl"
TASK = "half-cheetah-vel-v1_data=expert,demos=1,episodes=1"
RUN = f"{TASK}/seed-0"
ABOUT = About(
    authors=("A. Author", "B. Author"),
    licence="CC-BY-4.0",
    description="A method.",
    date=date(2026, 11, 22),
)


def sound(folder: Path) -> Path:
    """A committed row's runs, sealed anew."""
    shutil.copytree(RECORDS / BOARD / ROW, folder)
    seal(folder, catalogue.boards()[BOARD], ABOUT)
    return folder


def summed(folder: Path) -> Path:
    """With sums of what lies there now: whoever cheats can add up."""
    (folder / SUMS).unlink()
    names = [name for name in Bundle(folder).sizes if name != SUMS]
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / SUMS).write_text("".join(lines))
    return folder


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A JSON file, changed by hand."""
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def sheet(folder: Path, **changes: Any) -> Path:
    edit(folder / SHEET, lambda content: content.update(changes))
    return summed(folder)


def run(folder: Path, **changes: Any) -> Path:
    edit(folder / RUN / "run.json", lambda content: content.update(changes))
    return summed(folder)


def judgement(folder: Path, change: Callable[[Evaluation], list[Evaluation]], run: str = RUN) -> Path:
    """The judgement of a run's test tasks, changed, with checksums that agree."""
    file = folder / run / "records.jsonl"
    lines: list[str] = []
    for line in file.read_text().splitlines():
        record = from_line(line, str(file))
        last = isinstance(record, Evaluation) and record.split == "test"
        lines += (
            [to_line(new) for new in change(record)] if last and isinstance(record, Evaluation) else [line]
        )
    file.write_text("".join(line + "\n" for line in lines))
    return summed(folder)


def retested(folder: Path, **changes: Any) -> Path:
    return judgement(folder, lambda e: [replace(e, **changes)])


def zipped(folder: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in Bundle(folder).sizes:
            archive.write(folder / name, name)
    return file
