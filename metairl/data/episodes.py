"""An episode on one task, and files of many: arrays laid end to end, without code in them.

Parts of a collection lie beside it until it is whole, a file each, so that a kill costs one part.
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
ROWS = ("obs", "action", "reward", "terminated", "truncated", "success")


@dataclass(frozen=True)
class Episode:
    """One episode on one task."""

    task: str  # hash of its parameters
    parameters: list[float]
    seed: int
    obs: Array  # [T + 1, O]
    action: Array  # [T], or [T, A]
    reward: Array  # [T]
    terminated: Array  # [T] bool
    truncated: Array  # [T] bool
    success: Array  # [T] bool


class Parts:
    """Episodes on their way to a dataset, a file a part; a part that is there is not made again."""

    def __init__(self, root: Path, name: str):
        self.folder = root / f".parts-{name}"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def keep(self, name: str, make: Callable[[], list[Episode]]) -> list[Episode]:
        path = self.folder / f"{name}.npz"
        if path.exists():
            try:
                return unpacked(path)
            except (OSError, ValueError, KeyError, BadZipFile):
                path.unlink()
        episodes = make()
        write_atomically(path, packed(episodes))
        return episodes

    def clear(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def packed(episodes: list[Episode]) -> bytes:
    columns = {
        field.name: [getattr(episode, field.name) for episode in episodes] for field in fields(Episode)
    }
    joined = {name: np.concatenate(columns[name]) for name in ROWS}
    alone = {name: np.array(columns[name]) for name in ("task", "parameters", "seed")}
    lengths = np.array([len(episode.reward) for episode in episodes])
    buffer = io.BytesIO()
    columns_of: dict[str, Any] = joined | alone | {"lengths": lengths}
    np.savez(buffer, **columns_of)
    return buffer.getvalue()


def unpacked(path: Path) -> list[Episode]:
    with np.load(path, allow_pickle=False) as file:
        kept = dict(file)
    ends = kept["lengths"].cumsum()
    parts = {
        name: np.split(kept[name], ends[:-1] if name != "obs" else (ends + np.arange(1, len(ends) + 1))[:-1])
        for name in ROWS
    }
    return [
        Episode(
            task=str(kept["task"][i]),
            parameters=kept["parameters"][i].tolist(),
            seed=int(kept["seed"][i]),
            **{name: parts[name][i] for name in ROWS},
        )
        for i in range(len(ends))
    ]


def content(episode: Episode) -> bytes:
    """What an episode says, in one way only."""
    numbers = (np.float32(episode.obs), np.float32(episode.action), np.float32(episode.reward))
    flags = (episode.terminated, episode.truncated, episode.success)
    arrays = (*numbers, *(np.asarray(flag, dtype=np.bool_) for flag in flags))
    header = f"{episode.task} {episode.seed} {len(episode.reward)}".encode()
    return header + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def check_sound(episode: Episode, spec: Spec, where: str) -> None:
    """What learners may rely on."""
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
            raise DamagedFile(f"{where}: '{name}' has numbers that are not finite")
    if steps > spec.horizon:
        raise DamagedFile(f"{where}: has {steps} steps where {spec.horizon} are the most")
    ends = episode.terminated | episode.truncated
    if ends[:-1].any() or not ends[-1]:
        raise DamagedFile(f"{where}: must end with its last step and nowhere else")
