"""What was taken onto the boards and what became of it: one line an event, each naming the one before.

    accepted     a submission passed every check                     tier "checked"
    rerun        its checkpoint was run again, and agreed or not     tier "rerun" if it agreed
    withdrawn    it no longer stands on the board, and why

A line holds the SHA-256 of the line before it, so that history cannot be rewritten without being seen, and a
submission's digest, so that its files cannot. Nothing is deleted.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from metairl.boards.bundle import Bundle
from metairl.boards.strict import Name, Sealed, Sha256, Text, fitted, parse
from metairl.core.errors import DamagedFile, Refused
from metairl.core.records import writing

FIRST = "0" * 64  # what the first line follows
Tier = Literal["self", "checked", "rerun"]


class Event(Sealed):
    event: Literal["accepted", "rerun", "withdrawn"]
    board: Name
    row: Name  # the submission's slug
    digest: Sha256  # of the submission
    path: Text  # beside the ledger
    when: datetime
    agreed: bool | None = None  # of a rerun
    p: float | None = Field(default=None, ge=0, le=1)  # of a rerun, were the claims true
    nonce: Name | None = None
    note: Text = ""
    previous: Sha256


@dataclass(frozen=True)
class Accepted:
    """A submission that stands on a board today."""

    path: Path
    digest: str
    board: str
    row: str
    tier: Tier


def read(file: Path) -> list[Event]:
    """Every event, or the first line that does not follow the one before it."""
    events: list[Event] = []
    previous = FIRST
    for number, line in enumerate(_lines(file), start=1):
        event = fitted(Event, parse(line, f"{file}:{number}"), f"{file}:{number}")
        if event.previous != previous:
            raise DamagedFile(f"{file}:{number}: it does not follow the line before it")
        previous = hashlib.sha256(line).hexdigest()
        events.append(event)
    return events


def append(file: Path, event: dict[str, object]) -> Event:
    """An event at the end; `previous` is filled in."""
    read(file)
    lines = _lines(file)
    previous = hashlib.sha256(lines[-1]).hexdigest() if lines else FIRST
    made = fitted(Event, event | {"previous": previous}, str(file))
    line = json.dumps(made.model_dump(mode="json", exclude_none=True), separators=(",", ":"))
    with writing(file), file.open("a", encoding="utf-8") as ledger:
        ledger.write(line + "\n")
    return made


def standing(file: Path) -> list[Accepted]:
    """What stands today; a submission whose bytes are not those that were accepted is an error."""
    rows: dict[str, Accepted] = {}
    for event in read(file):
        place = file.parent / event.path
        if event.event == "withdrawn":
            rows.pop(event.digest, None)
        elif event.event == "accepted":
            rows[event.digest] = Accepted(place, event.digest, event.board, event.row, "checked")
        elif event.digest in rows:
            tier: Tier = "rerun" if event.agreed else "checked"
            rows[event.digest] = Accepted(place, event.digest, event.board, event.row, tier)
    for row in rows.values():
        if Bundle(row.path).digest != row.digest:
            raise Refused(f"{row.path}: is not the submission that was accepted")
    return list(rows.values())


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines() if file.exists() else []
