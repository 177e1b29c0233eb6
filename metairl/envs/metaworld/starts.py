"""How an episode of every (skill, goal) begins: computed once by the package itself, then kept on disk.

The package takes some ten milliseconds for one, most of it 500 steps of physics that move the hand to its
place, always the same way. A file a skill holds all that were ever asked for. It belongs to one version of
MuJoCo and of metaworld, and one that cannot be read is made again.

Folder: METAIRL_CACHE, else ~/.cache/metairl.
"""

import os
import zlib
from pathlib import Path
from zipfile import BadZipFile

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metairl.core.records import writing
from metairl.envs.metaworld import official

FORMAT = 1  # of the files: what their rows hold
GOALS = "goal"  # the column of a file by which its rows are found
COLUMNS = "columns"  # and the names of all


def of(skill: str, goals: Tensor) -> dict[str, Tensor]:
    """A row a goal, [N, 6]: state, fixtures, what is seen, what is remembered."""
    wanted = goals.double().numpy()
    path = file(skill)
    known = _read(path)
    places = _places(known)
    missing = list({row.tobytes(): row for row in wanted if row.tobytes() not in places}.values())
    if missing:
        known = _joined(known, _computed(skill, missing))
        _write(path, known)
        places = _places(known)
    rows = [places[row.tobytes()] for row in wanted]
    return {name: torch.from_numpy(values[rows]) for name, values in known.items() if name != GOALS}


def file(skill: str) -> Path:
    home = Path(os.environ.get("METAIRL_CACHE", Path.home() / ".cache" / "metairl"))
    return home / "metaworld" / f"{FORMAT}-{official.VERSION}-{mujoco.__version__}" / f"{skill}.npz"


def _computed(skill: str, goals: list[NDArray[np.float64]]) -> official.Rows:
    env = official.make(skill)
    rows = [official.started(env, goal) | {GOALS: goal} for goal in goals]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _places(known: official.Rows) -> dict[bytes, int]:
    return {row.tobytes(): place for place, row in enumerate(known.get(GOALS, ()))}


def _joined(known: official.Rows, more: official.Rows) -> official.Rows:
    if not known:
        return more
    return {name: np.concatenate([known[name], more[name]]) for name in more}


def _read(path: Path) -> official.Rows:
    """Nothing, where there is no file or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            known = dict(saved)
    except (OSError, ValueError, EOFError, NotImplementedError, BadZipFile, zlib.error):
        return {}
    whole = COLUMNS in known and set(known.pop(COLUMNS).tolist()) == set(known)
    return known if whole else {}


def _write(path: Path, known: official.Rows) -> None:
    """Whole or not at all. Of two processes the later wins, and what the other knew is computed again."""
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.npz")
        np.savez(unfinished, columns=np.array(list(known)), **known)  # type: ignore[arg-type]
        unfinished.replace(path)
