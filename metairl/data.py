"""Episodes on disk: Minari datasets, the format in which others' learners read them too.

    one episode     T + 1 observations, T actions, rewards, ends; info `success` of every step
    told of each    its task's parameters and their hash, its seed
    told of all     task, card hash, split, who acted, seed, versions

A dataset lies in a folder of its own, ROOT/NAME-v0, and holds numbers and JSON only. It gets its name when it
is complete.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from metairl.errors import StorageError, UsageError
from metairl.record import writing
from metairl.types import Spec

Array = NDArray[Any]


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


def save(root: Path, name: str, spec: Spec, episodes: Iterable[Episode], about: dict[str, Any]) -> Path:
    """A new dataset; one of that name is never written over."""
    minari = _package()
    folder = root / name
    if folder.exists():
        raise StorageError(f"{folder} is there already; choose another --out, or remove it")
    unfinished = root / f".unfinished-{os.getpid()}"
    with writing(root), _kept_in(unfinished):
        dataset = None
        for number, episode in enumerate(episodes):
            buffer = _buffer(minari, number, episode)
            if dataset is None:
                dataset = _new(minari, name, spec, buffer, about)
            else:
                dataset.storage.update_episodes([buffer])
            told = {"task": episode.task, "parameters": episode.parameters}
            dataset.storage.update_episode_metadata([told], [number])
        if dataset is None:
            raise UsageError("there are no episodes to save")
        dataset.storage.update_metadata({"metairl": about})
        (unfinished / name).rename(folder)
        unfinished.rmdir()
    return folder


def load(folder: Path) -> tuple[list[Episode], dict[str, Any]]:
    """What `save` wrote."""
    minari = _package()
    with _kept_in(folder.parent):
        try:
            dataset = minari.load_dataset(folder.name)
        except (FileNotFoundError, ValueError) as fault:
            raise StorageError(f"{folder}: no dataset there ({fault})") from None
        about = dataset.storage.metadata.get("metairl")
        if about is None:
            raise StorageError(f"{folder}: not a dataset that metairl collected")
        told = dataset.storage.get_episode_metadata(range(dataset.total_episodes))
        return [_episode(one, words) for one, words in zip(dataset, told, strict=True)], about


def _new(minari: Any, name: str, spec: Spec, first: Any, about: dict[str, Any]) -> Any:
    with warnings.catch_warnings():  # of words that nobody has to say
        warnings.simplefilter("ignore", UserWarning)
        return minari.create_dataset_from_buffers(
            name,
            [first],
            observation_space=spaces.Box(-np.inf, np.inf, (spec.obs,), np.float32),
            action_space=_actions(spec),
            algorithm_name=about["method"],
            description=f"{about['method']} on {about['task']}, {about['split']} tasks, by metairl",
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


def _episode(one: Any, told: dict[str, Any]) -> Episode:
    return Episode(
        task=told["task"],
        parameters=list(told["parameters"]),
        seed=int(told["seed"]),
        obs=np.asarray(one.observations),
        action=np.asarray(one.actions),
        reward=np.asarray(one.rewards),
        terminated=np.asarray(one.terminations),
        truncated=np.asarray(one.truncations),
        success=np.asarray(one.infos["success"][1:]),
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
