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
from metairl.boards.submission import Family, RunFile, Sheet, read_runs
from metairl.core import checkpoint
from metairl.core.errors import Refused, StorageError, UsageError, nearest
from metairl.core.old_names import renamed_state
from metairl.core.records import RunFolder, write_atomically, writing
from metairl.methods import registry
from metairl.methods.method import Method
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
        "support": _support(made, board),
        "method": _method(made, about),
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
        content: dict[str, Any] = renamed_state(
            torch.load(io.BytesIO(bundle.read(names[-1])), weights_only=True)
        )
    except (RuntimeError, EOFError, KeyError, ValueError, UnpicklingError) as fault:
        raise Refused(f"{names[-1]}: cannot be read ({printable(str(fault))})") from None
    return content


def _method(made: RunFile, about: About) -> dict[str, Any]:
    known = method_of(made)
    own = known is None or made.encoder == known.encoder
    label = known.label if known else made.method
    slug = label if own else f"{label}+{made.encoder}"
    title = known.title if known else made.method
    code = {"repository": about.repository, "commit": about.commit} if about.repository else None
    return {
        "name": about.name or (title if own else f"{title}, {made.encoder}"),
        "slug": about.slug or slug,
        "family": about.family or family_of(known, made.encoder),
        "description": about.description,
        "encoder": made.encoder,
        "paper": about.paper or (known.paper if known else None),
        "url": about.url,
        "code": code,
    }


def method_of(made: RunFile) -> Method | None:
    """The suite's own method that a run is of; None: an agent from outside."""
    known = registry.METHODS.get(made.method)
    return known.under(made.regime) if known else None


def family_of(method: Method | None, encoder: str | None) -> Family:
    """Where a row of this suite's own methods belongs."""
    if method is None:
        return "other"
    if encoder == "oracle" or method.sees_task or method.name in FLOORS:
        return "reference"
    match method.problem:
        case "exact":
            return "classical"
        case "known-dynamics":
            return "inverse"
        case "imitation" | "online-imitation":
            return "imitation"
        case "offline" | "offline-goals" | "offline-preferences":
            return "offline"
    if method.adapt:
        return "transfer"
    return "multi-task" if encoder == "none" else "meta"


def _support(made: RunFile, board: BoardCard) -> str:
    known = method_of(made)
    return known.support if known else board.support


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
