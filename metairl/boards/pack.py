"""A submission from finished run folders: their bytes as they are, a sheet, and sums of it all.

Of checkpoints only the networks are packed, without replay or optimiser: what it takes to act again.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from metairl.boards.bundle import ALLOWED, SHEET, SUMS, Bundle
from metairl.boards.scores import aggregate, claimed
from metairl.boards.strict import fitted, printable
from metairl.boards.submission import Family, Sheet, read_runs
from metairl.core import checkpoint
from metairl.core.errors import Refused, StorageError, UsageError, nearest
from metairl.core.records import RunFolder, write_atomically, writing
from metairl.methods import registry
from metairl.tasks import catalogue
from metairl.tasks.cards import BoardCard

RUN_JSON, RECORDS = "run.json", "records.jsonl"
FLOORS = ("random", "zero")


@dataclass(frozen=True)
class About:
    """What no record knows."""

    authors: tuple[str, ...]
    licence: str
    description: str
    date: date
    name: str | None = None  # for people; None: the method's title
    slug: str | None = None  # the row's address; None: the method's name
    family: Family | None = None
    paper: str | None = None
    url: str | None = None
    repository: str | None = None  # of its code, with the commit
    commit: str | None = None
    notes: str = ""


def pack(runs: Sequence[Path], board_id: str, about: About, out: Path, checkpoints: bool) -> Bundle:
    """Written aside and put in place whole; a folder that is there already is left alone."""
    board = find_board(board_id)
    if out.exists():
        raise StorageError(f"{out}: is there already; a submission is never written over")
    aside = out.with_name(f".{out.name}.part")
    with writing(aside):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
    try:
        for run in runs:
            _copy(RunFolder(run), aside, checkpoints)
        seal(aside, board, about)
        with writing(out):
            aside.replace(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Bundle(out)


def seal(folder: Path, board: BoardCard, about: About) -> None:
    """The sheet and the sums of a folder whose runs are in place."""
    for old in (SHEET, SUMS):
        (folder / old).unlink(missing_ok=True)
    runs = read_runs(Bundle(folder))
    if not runs:
        raise UsageError("a submission needs at least one run")
    made, claims = runs[0].made, claimed(runs, board)
    if not claims:
        raise UsageError(f"none of these runs is of a task of board '{board.id}'")
    sheet = {
        "schema_version": 1,
        "board": board.id,
        "rules": board.rules,
        "support": _support(made.method, board),
        "method": _method(made.method, made.encoder, about),
        "authors": list(about.authors),
        "date": about.date.isoformat(),
        "licence": about.licence,
        "claims": [claim.model_dump() for claim in claims.values()],
        "aggregate": aggregate(runs, board),
        "notes": about.notes,
    }
    fitted(Sheet, sheet, SHEET)
    text = json.dumps(sheet, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(folder / SHEET, text.encode())
    names = [name for name in Bundle(folder).sizes if name != SUMS]
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in names)
    write_atomically(folder / SUMS, sums.encode())


def find_board(name: str) -> BoardCard:
    known = catalogue.boards()
    if name not in known:
        raise UsageError(f"no board '{name}'; {nearest(name, known)}")
    return known[name]


def _copy(folder: RunFolder, out: Path, checkpoints: bool) -> None:
    run = folder.description()
    if run["status"] != "completed":
        raise UsageError(f"{folder.path}: its status is '{run['status']}'; only completed runs are submitted")
    name = f"{run['task'].replace(':', '_')}/seed-{run['seed']}"
    if not ALLOWED.fullmatch(f"{name}/{RUN_JSON}"):
        raise UsageError(f"{folder.path}: '{name}' is no name that a submission may hold")
    place = out / name
    if place.exists():
        raise UsageError(f"{folder.path}: another run of '{run['task']}' has seed {run['seed']} too")
    with writing(place):
        place.mkdir(parents=True)
        shutil.copyfile(folder.run_file, place / RUN_JSON)
        shutil.copyfile(folder.records_file, place / RECORDS)
    if checkpoints:
        _keep_networks(folder, place, run)


def _keep_networks(folder: RunFolder, place: Path, run: dict[str, Any]) -> None:
    saved = checkpoint.load(folder.checkpoints)
    if saved is None:
        raise UsageError(f"{folder.path}: it has no checkpoint; submit it without --checkpoints")
    (place / "checkpoint").mkdir()
    checkpoint.save(place / "checkpoint", run["steps"], {"networks": saved["recipe"]["networks"]})


def networks(bundle: Bundle, path: str) -> dict[str, Any] | None:
    """Of a run in a submission; None where it was packed without."""
    names = [name for name in bundle.sizes if name.startswith(f"{path}/checkpoint/") and name.endswith(".pt")]
    if not names:
        return None
    try:
        content: dict[str, Any] = torch.load(io.BytesIO(bundle.read(names[-1])), weights_only=True)
    except (RuntimeError, EOFError, KeyError, ValueError, UnpicklingError) as fault:
        raise Refused(f"{names[-1]}: cannot be read ({printable(str(fault))})") from None
    return content


def _method(name: str, encoder: str | None, about: About) -> dict[str, Any]:
    known = registry.METHODS.get(name)
    slug = name if known is None or encoder == known.encoder else f"{name}+{encoder}"
    title = known.title if known else name
    code = {"repository": about.repository, "commit": about.commit} if about.repository else None
    return {
        "name": about.name or (title if slug == name else f"{title}, {encoder}"),
        "slug": about.slug or slug,
        "family": about.family or family_of(name, encoder),
        "description": about.description,
        "encoder": encoder,
        "paper": about.paper or (known.paper if known else None),
        "url": about.url,
        "code": code,
    }


def family_of(name: str, encoder: str | None) -> Family:
    """Where a row of this suite's own methods belongs."""
    known = registry.METHODS.get(name)
    if known is None:
        return "other"
    if encoder == "oracle" or known.sees_task or name in FLOORS:
        return "reference"
    if known.mode == "exact":
        return "classical"
    if known.support == "demos":
        return "imitation" if known.imitates else "inverse"
    if known.support == "logs":
        return "offline"
    if known.adapts:
        return "transfer"
    return "multi-task" if encoder == "none" else "meta"


def _support(name: str, board: BoardCard) -> str:
    known = registry.METHODS.get(name)
    return known.support if known else board.support


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
