"""Episodes, and files of them: concatenated arrays in .npz files, loaded without pickle.

A collection is stored in parts, one file each, until it is complete, so that a kill loses one part at most.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from metairl.core.errors import DamagedFile
from metairl.core.records import write_atomically, writing
from metairl.core.types import Spec

Array = NDArray[Any]
COLUMNS = ("obs", "action", "reward", "terminated", "truncated", "success")


@dataclass(frozen=True)
class Episode:
    """One episode on one task."""

    task: str  # hash of the task's parameters
    parameters: list[float]
    seed: int
    obs: Array  # [T + 1, O]
    action: Array  # [T], or [T, A]
    reward: Array  # [T]
    terminated: Array  # [T] bool
    truncated: Array  # [T] bool
    success: Array  # [T] bool


class Parts:
    """The finished parts of a dataset that is being collected, one file each."""

    def __init__(self, root: Path, name: str):
        self.folder = root / f".parts-{name}"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def load_or_make(self, name: str, make: Callable[[], list[Episode]]) -> list[Episode]:
        """Reads a part; if it is missing or damaged, makes and stores it."""
        path = self.folder / f"{name}.npz"
        if path.exists():
            try:
                return from_npz(path)
            except (OSError, ValueError, KeyError, BadZipFile):
                path.unlink()
        episodes = make()
        write_atomically(path, to_npz(episodes))
        return episodes

    def clear(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def to_npz(episodes: list[Episode]) -> bytes:
    """The content of an .npz file: steps of all episodes concatenated, and the length of each episode."""
    columns = {
        field.name: [getattr(episode, field.name) for episode in episodes] for field in fields(Episode)
    }
    joined = {name: np.concatenate(columns[name]) for name in COLUMNS}
    per_episode = {name: np.array(columns[name]) for name in ("task", "parameters", "seed")}
    lengths = np.array([len(episode.reward) for episode in episodes])
    buffer = io.BytesIO()
    arrays: dict[str, Any] = joined | per_episode | {"lengths": lengths}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def from_npz(path: Path) -> list[Episode]:
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    ends = arrays["lengths"].cumsum()
    parts = {
        name: np.split(
            arrays[name], ends[:-1] if name != "obs" else (ends + np.arange(1, len(ends) + 1))[:-1]
        )
        for name in COLUMNS
    }
    return [
        Episode(
            task=str(arrays["task"][i]),
            parameters=arrays["parameters"][i].tolist(),
            seed=int(arrays["seed"][i]),
            **{name: parts[name][i] for name in COLUMNS},
        )
        for i in range(len(ends))
    ]


def content(episode: Episode) -> bytes:
    """A canonical serialisation, for hashing."""
    numbers = (np.float32(episode.obs), np.float32(episode.action), np.float32(episode.reward))
    flags = (episode.terminated, episode.truncated, episode.success)
    arrays = (*numbers, *(np.asarray(flag, dtype=np.bool_) for flag in flags))
    header = f"{episode.task} {episode.seed} {len(episode.reward)}".encode()
    return header + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def check_sound(episode: Episode, spec: Spec, where: str) -> None:
    """Raises a DamagedFile unless shapes, values and ends are as learners expect."""
    steps = len(episode.action)
    if steps == 0:
        raise DamagedFile(f"{where}: has no steps")
    if len(episode.obs) == steps:
        raise DamagedFile(
            f"{where}: the final observation is missing ({steps} observations of {steps} steps)"
        )
    width = () if spec.discrete else (spec.actions,)
    shapes = {"obs": (steps + 1, spec.obs), "action": (steps, *width)}
    shapes |= dict.fromkeys(("reward", "terminated", "truncated", "success"), (steps,))
    for name, shape in shapes.items():
        values = getattr(episode, name)
        if values.shape != shape:
            raise DamagedFile(f"{where}: '{name}' has shape {values.shape}, not {shape}")
        if not np.isfinite(values).all():
            raise DamagedFile(f"{where}: '{name}' has values that are not finite")
    if steps > spec.horizon:
        raise DamagedFile(f"{where}: has {steps} steps, more than the horizon {spec.horizon}")
    ends = episode.terminated | episode.truncated
    if ends[:-1].any() or not ends[-1]:
        raise DamagedFile(f"{where}: must end with its last step and nowhere else")
