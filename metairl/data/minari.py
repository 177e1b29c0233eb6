"""Reads and writes episodes as Minari datasets, a format that other libraries read too.

    episode             T + 1 observations; T actions, rewards, terminations and truncations; info `success`
    episode metadata    task parameters, their hash, seed
    dataset metadata    task, card hash, split, behaviour policy, seed, versions

A dataset is a folder, ROOT/NAME-v0, of arrays and JSON only. The folder gets its name when it is complete; until
then, finished parts are stored beside it (`metairl.data.episodes.Parts`).
"""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from gymnasium import spaces

from metairl import __version__
from metairl.core.errors import DamagedFile, StorageError, UsageError
from metairl.core.records import write_atomically, writing
from metairl.core.types import Spec
from metairl.data.episodes import Episode, check_sound, content, from_npz, to_npz

COLUMNS = "columns.npz"  # all arrays of the dataset once more, since Minari reads one episode at a time


def save(root: Path, name: str, spec: Spec, episodes: Iterable[Episode], about: dict[str, Any]) -> Path:
    """Writes a new dataset; an existing one is an error."""
    minari = _package()
    folder = root / name
    check_new(folder)
    unfinished = root / f".unfinished-{name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    with writing(root), _minari_root(unfinished):
        dataset, sha256, saved = None, hashlib.sha256(), list[Episode]()
        for batch in _batches(episodes):
            numbers = range(len(saved), len(saved) + len(batch))
            saved += batch
            buffers = [_buffer(minari, *one) for one in zip(numbers, batch, strict=True)]
            if dataset is None:
                dataset = _create(minari, name, spec, buffers, about)
            else:
                dataset.storage.update_episodes(buffers)
            metadata = [{"task": episode.task, "parameters": episode.parameters} for episode in batch]
            dataset.storage.update_episode_metadata(metadata, numbers)
            for episode in batch:
                sha256.update(content(episode))
        if dataset is None:
            raise UsageError("there are no episodes to save")
        dataset.storage.update_metadata({"metairl": about | {"sha256": sha256.hexdigest()}})
        write_atomically(unfinished / name / COLUMNS, to_npz(saved))
        (unfinished / name).rename(folder)
        unfinished.rmdir()
    return folder


def _batches(episodes: Iterable[Episode]) -> Iterator[list[Episode]]:
    """Batches of 500, since Minari opens its file once for each."""
    remaining = iter(episodes)
    while batch := list(islice(remaining, 500)):
        yield batch


def check_new(folder: Path) -> None:
    if folder.exists():
        raise StorageError(f"{folder} exists already; choose another --out or remove it")


def import_dataset(folder: Path, spec: Spec, task: str, parameters: list[float]) -> list[Episode]:
    """Episodes of a Minari dataset from elsewhere, all of one task."""
    minari = _package()
    with _minari_root(folder.parent):
        try:
            dataset = minari.load_dataset(folder.name)
        except (FileNotFoundError, ValueError, TypeError) as fault:
            raise StorageError(f"{folder}: no dataset there ({fault})") from None
        episodes = [_imported_episode(one, task, parameters) for one in dataset]
    for number, episode in enumerate(episodes):
        check_sound(episode, spec, f"{folder}, episode {number}")
    return episodes


def _imported_episode(one: Any, task: str, parameters: list[float]) -> Episode:
    """Without success; an episode that is neither terminated nor truncated counts as truncated."""
    terminated = np.asarray(one.terminations, dtype=bool)
    truncated = np.asarray(one.truncations, dtype=bool)
    if len(terminated) and not (terminated[-1] or truncated[-1]):
        truncated[-1] = True
    return Episode(
        task=task,
        parameters=parameters,
        seed=0,
        obs=np.asarray(one.observations, dtype=np.float32),
        action=np.asarray(one.actions),
        reward=np.asarray(one.rewards, dtype=np.float32),
        terminated=terminated,
        truncated=truncated,
        success=np.zeros(len(terminated), dtype=bool),
    )


def metadata(folder: Path) -> dict[str, Any]:
    """The metadata of a dataset that `save` wrote."""
    try:
        found: dict[str, Any] = json.loads((folder / "data" / "metadata.json").read_bytes())["metairl"]
    except (OSError, ValueError):
        raise StorageError(f"{folder}: no dataset there") from None
    except KeyError:
        raise StorageError(
            f"{folder}: not a dataset of metairl; import it with: metairl collect TASK --take {folder}"
        ) from None
    return found


def load(folder: Path) -> tuple[list[Episode], dict[str, Any]]:
    """Episodes and metadata of a dataset that `save` wrote, verified by their hash."""
    about = metadata(folder)
    try:
        episodes = from_npz(folder / COLUMNS)
    except (OSError, ValueError, KeyError, BadZipFile):
        raise DamagedFile(f"{folder / COLUMNS}: cannot be read") from None
    sha256 = hashlib.sha256()
    for episode in episodes:
        sha256.update(content(episode))
    if sha256.hexdigest() != about["sha256"]:
        raise DamagedFile(f"{folder}: its data is not as it was written (SHA-256 differs)")
    return episodes, about


def _create(minari: Any, name: str, spec: Spec, first: list[Any], about: dict[str, Any]) -> Any:
    with warnings.catch_warnings():  # Minari warns about optional metadata
        warnings.simplefilter("ignore", UserWarning)
        return minari.create_dataset_from_buffers(
            name,
            first,
            observation_space=spaces.Box(-np.inf, np.inf, (spec.obs,), np.float32),
            action_space=_actions(spec),
            algorithm_name=about["quality"],
            description=f"{about['quality']} on {about['task']}, {about['split']} tasks, by metairl",
            requirements=[f"metairl=={__version__}"],
            data_format="hdf5",
        )


def _buffer(minari: Any, number: int, episode: Episode) -> Any:
    return minari.data_collector.EpisodeBuffer(
        id=number,
        seed=episode.seed,
        observations=list(episode.obs),
        actions=list(episode.action),
        rewards=episode.reward.tolist(),
        terminations=episode.terminated.tolist(),
        truncations=episode.truncated.tolist(),
        infos={"success": [False, *episode.success.tolist()]},  # Minari expects one more, of the reset
    )


def _actions(spec: Spec) -> spaces.Space[Any]:
    if spec.discrete:
        return spaces.Discrete(spec.actions)
    return spaces.Box(-1.0, 1.0, (spec.actions,), np.float32)


def _package() -> Any:
    try:
        import minari
        import minari.data_collector
    except ImportError:
        raise UsageError("datasets need more packages: pip install 'metairl[data]'") from None
    return minari


@contextmanager
def _minari_root(root: Path) -> Iterator[None]:
    """Points Minari to this folder, through the environment variable that it reads."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    root.mkdir(parents=True, exist_ok=True)
    os.environ["MINARI_DATASETS_PATH"] = str(root.absolute())  # Minari mishandles relative paths
    try:
        yield
    finally:
        if before is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = before
