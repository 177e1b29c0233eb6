"""Collects every measured ratio and writes results/speed.json when the session ends."""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

ROOT = Path(__file__).parents[2]
LEDGER = ROOT / "results" / "speed.json"
Note = Callable[..., float]


@pytest.fixture(scope="session")
def ledger() -> Iterator[dict[str, dict[str, Any]]]:
    """Rows by name; a row that this session does not measure stays as it was."""
    rows = {row["name"]: row for row in json.loads(LEDGER.read_text())} if LEDGER.exists() else {}
    yield rows
    LEDGER.write_text(json.dumps([rows[name] for name in sorted(rows)], indent=2) + "\n")


@pytest.fixture
def note(ledger: dict[str, dict[str, Any]]) -> Note:
    """Write a row down, then say its ratio: a missed goal is recorded before the test fails."""

    def write(
        name: str,
        ours: float,
        peer: float,
        goal: float,
        unit: str,
        better: Literal["higher", "lower"] = "higher",
    ) -> float:
        ratio = ours / peer
        ledger[name] = {
            "name": name,
            "ratio": round(ratio, 3),
            "goal": goal,
            "better": better,
            "ours": round(ours, 4),
            "peer": round(peer, 4),
            "unit": unit,
            "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
            "commit": _commit(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        print(f"\n{name}: {ratio:.3g} (goal {goal} or {better}; ours {ours:.4g}, peer {peer:.4g} {unit})")
        return ratio

    return write


def side_by_side(ours: Callable[[], int], peer: Callable[[], int], rounds: int) -> tuple[float, float]:
    """Median units a second of both, taken in turns, so that a busy machine is busy for both."""
    rates: tuple[list[float], list[float]] = ([], [])
    for work in (ours, peer):
        work()
    for _ in range(rounds):
        for work, found in zip((ours, peer), rates, strict=True):
            began = time.perf_counter()
            units = work()
            found.append(units / (time.perf_counter() - began))
    return statistics.median(rates[0]), statistics.median(rates[1])


def in_turns(ours: Callable[[], int], peer: str, rounds: int, *words: str) -> tuple[float, float]:
    """The same where the peer has an environment of its own, peers/NAME; skipped where that is not there.

    `words` are told to the peer's program.
    """
    folder = Path(__file__).parent / "peers" / peer
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{folder}: make its .venv from requirements.txt first")
    rates: tuple[list[float], list[float]] = ([], [])
    ours()
    for _ in range(rounds):
        began = time.perf_counter()
        units = ours()
        rates[0].append(units / (time.perf_counter() - began))
        command = [python, folder / "run.py", *words]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        told = json.loads(said.stdout.splitlines()[-1])
        rates[1].append(told["units"] / told["seconds"])
    return statistics.median(rates[0]), statistics.median(rates[1])


def _commit() -> str | None:
    """The commit that was measured, with "+dirty" where tracked files differ from it; None outside git.

    The ledger itself does not count: this session rewrites it.
    """
    head = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/results/speed.json")
    return f"{head}+dirty" if head and changed else head


def _git(*words: str) -> str | None:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
