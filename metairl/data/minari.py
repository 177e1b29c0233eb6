"""Episodes on disk: Minari datasets, the format in which others' learners read them too.

    one episode     T + 1 observations, T actions, rewards, ends; info `success` of every step
    of each    its task's parameters and their hash, its seed
    of all     task, card hash, split, who acted, seed, versions

A dataset lies in a folder of its own, ROOT/NAME-v0, and holds numbers and JSON only. It gets its name when it
is complete: what is still being collected lies beside it, a file a part, so that a kill costs one part.
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
from metairl.data.episodes import Episode, check_sound, content, packed, unpacked

COLUMNS = "columns.npz"  # of a dataset: the same numbers again, to be read at once


def save(root: Path, name: str, spec: Spec, episodes: Iterable[Episode], about: dict[str, Any]) -> Path:
    """A new dataset; one of that name is never written over."""
    minari = _package()
    folder = root / name
    check_new(folder)
    unfinished = root / f".unfinished-{name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    with writing(root), _kept_in(unfinished):
        dataset, hashed, every = None, hashlib.sha256(), list[Episode]()
        for some in _batches(episodes):
            numbers = range(len(every), len(every) + len(some))
            every += some
            buffers = [_buffer(minari, *one) for one in zip(numbers, some, strict=True)]
            if dataset is None:
                dataset = _new(minari, name, spec, buffers, about)
            else:
                dataset.storage.update_episodes(buffers)
            metadata = [{"task": episode.task, "parameters": episode.parameters} for episode in some]
            dataset.storage.update_episode_metadata(metadata, numbers)
            for episode in some:
                hashed.update(content(episode))
        if dataset is None:
            raise UsageError("there are no episodes to save")
        dataset.storage.update_metadata({"metairl": about | {"sha256": hashed.hexdigest()}})
        write_atomically(unfinished / name / COLUMNS, packed(every))
        (unfinished / name).rename(folder)
        unfinished.rmdir()
    return folder


def _batches(episodes: Iterable[Episode]) -> Iterator[list[Episode]]:
    """Minari opens its file once a batch."""
    more = iter(episodes)
    while some := list(islice(more, 500)):
        yield some


def check_new(folder: Path) -> None:
    if folder.exists():
        raise StorageError(f"{folder} is there already; choose another --out, or remove it")


def taken(folder: Path, spec: Spec, task: str, parameters: list[float]) -> list[Episode]:
    """Episodes of a Minari dataset that anybody made, all of one task."""
    minari = _package()
    with _kept_in(folder.parent):
        try:
            dataset = minari.load_dataset(folder.name)
        except (FileNotFoundError, ValueError, TypeError) as fault:
            raise StorageError(f"{folder}: no dataset there ({fault})") from None
        episodes = [_of_one_task(one, task, parameters) for one in dataset]
    for number, episode in enumerate(episodes):
        check_sound(episode, spec, f"{folder}, episode {number}")
    return episodes


def _of_one_task(one: Any, task: str, parameters: list[float]) -> Episode:
    """Success is not known of it; it ends where it ends, though nothing may say why."""
    ended = np.asarray(one.terminations, dtype=bool)
    cut = np.asarray(one.truncations, dtype=bool)
    if len(ended) and not (ended[-1] or cut[-1]):
        cut[-1] = True
    return Episode(
        task=task,
        parameters=parameters,
        seed=0,
        obs=np.asarray(one.observations, dtype=np.float32),
        action=np.asarray(one.actions),
        reward=np.asarray(one.rewards, dtype=np.float32),
        terminated=ended,
        truncated=cut,
        success=np.zeros(len(ended), dtype=bool),
    )


def about(folder: Path) -> dict[str, Any]:
    """The metadata of a dataset that this suite wrote."""
    try:
        said: dict[str, Any] = json.loads((folder / "data" / "metadata.json").read_bytes())["metairl"]
    except (OSError, ValueError):
        raise StorageError(f"{folder}: no dataset there") from None
    except KeyError:
        raise StorageError(
            f"{folder}: not of this suite's making; metairl collect TASK --take {folder} takes it in"
        ) from None
    return said


def load(folder: Path) -> tuple[list[Episode], dict[str, Any]]:
    """What `save` wrote, by its columns: Minari reads an episode at a time."""
    metadata = about(folder)
    try:
        episodes = unpacked(folder / COLUMNS)
    except (OSError, ValueError, KeyError, BadZipFile):
        raise DamagedFile(f"{folder / COLUMNS}: cannot be read") from None
    hashed = hashlib.sha256()
    for episode in episodes:
        hashed.update(content(episode))
    if hashed.hexdigest() != metadata["sha256"]:
        raise DamagedFile(f"{folder}: its numbers are not the ones that were written (SHA-256 differs)")
    return episodes, metadata


def _new(minari: Any, name: str, spec: Spec, first: list[Any], about: dict[str, Any]) -> Any:
    with warnings.catch_warnings():  # of words that nobody has to say
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
        infos={"success": [False, *episode.success.tolist()]},  # Minari has one more, of the beginning
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
def _kept_in(root: Path) -> Iterator[None]:
    """Minari looks for datasets in one place, which an environment variable names."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    root.mkdir(parents=True, exist_ok=True)
    os.environ["MINARI_DATASETS_PATH"] = str(root.absolute())  # Minari loses its way from a relative one
    try:
        yield
    finally:
        if before is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = before
