"""Logs of tasks, as methods reach them: read from a dataset, checked, laid out a task at a time.

A dataset belongs to a card, a split and a quality; `metairl collect` makes it, or takes in a Minari dataset
of any make. What cannot be trusted is refused before anything learns from it.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from metairl.core.errors import DamagedFile, StorageError
from metairl.core.rng import stream
from metairl.core.types import Batch, Spec
from metairl.data import minari
from metairl.data.episodes import Episode, check_sound
from metairl.data.replay import Replay
from metairl.envs.termination import Ends, ends_of
from metairl.tasks import sampling
from metairl.tasks.cards import SHOWN, TaskCard
from metairl.tasks.metaworld_boxes import NAMES


def root() -> Path:
    """Where datasets are kept: METAIRL_DATA, else datasets/ where one stands."""
    return Path(os.environ.get("METAIRL_DATA", "datasets"))


def name(card: TaskCard, quality: str, split: str) -> str:
    """Of the dataset's folder; episodes of a trial do not matter to logs."""
    skill = [card.skill] if "skill" in card.settable else []
    goals = [card.goals] if "goals" in card.settable else []
    return "-".join([card.id, *skill, *goals, str(card.horizon), quality, split, "v0"])


def env_sha256(card: TaskCard) -> str:
    """Of what decides what a log holds."""
    return card.model_copy(update=dict.fromkeys(SHOWN) | {"data": None, "episodes": 1}).sha256


@dataclass(frozen=True)
class OfflineDataset:
    """Of N tasks, in an order that is known."""

    replay: Replay  # an episode is a trial
    sha256: str
    few: int | None = None  # episodes of a task that it is inferred from; None: any of them
    comparisons: int | None = None  # answers that a task is inferred from; None: from transitions
    others: Replay | None = None  # of the same tasks, not demonstrated; without reward too
    ends: Ends | None = None  # whether what a step led to ends an episode; None: nothing that is seen does

    def __len__(self) -> int:
        return len(self.replay.num_trials)

    def select(self, index: int) -> "OfflineDataset":
        one = torch.tensor([index])
        others = None if self.others is None else self.others.select(one)
        return replace(self, replay=self.replay.select(one), others=others)

    def demonstrated(self, few: int) -> "OfflineDataset":
        """Without reward; tasks are inferred from so few episodes."""
        return replace(self, replay=self.replay.demonstrated(), few=few)

    def best(self, share: float) -> Replay:
        """The episodes of highest return of every task, at least one."""
        return self.replay if share == 1 else self.replay.best(share)

    def some(self, which: Tensor, count: int, lived: bool, rng: Generator) -> Batch:
        """So many transitions of each: any of them, or as they were lived."""
        replay = self.replay
        if self.few is not None:
            replay, which = replay.sample_trials(which, self.few, rng), torch.arange(len(which))
        if lived:
            return replay.sample_segments(which, min(count, replay.length), rng).batch
        return replay.sample_transitions(which, count, rng)


def labelled(card: TaskCard, spec: Spec, split: str, seed: int) -> OfflineDataset:
    """As many transitions of every task as its card says are labelled; which ones is the seed's."""
    found = read(card, spec, split)
    if card.labels is None:
        return found
    there = found.replay.lengths.sum(1)
    if int(there.min()) < card.labels:
        short = int(there.argmin())
        has = f"task {short} has {int(there[short])} transitions"
        raise StorageError(f"{folder(card, split)}: {has}, not {card.labels} to label")
    return replace(found, replay=found.replay.some(card.labels, stream("labels", card.id, split, seed)))


def sha256(card: TaskCard, split: str) -> str:
    """Of what the logs hold."""
    said: str = minari.about(folder(card, split))["sha256"]
    return said


def read(card: TaskCard, spec: Spec, split: str) -> OfflineDataset:
    """Of every task of a split in the split's order; of the training tasks, all that there are."""
    place = folder(card, split)
    key = (card.sha256, split, str(place), minari.about(place)["sha256"])
    if key not in _READ:
        _READ[key] = _read(card, spec, split, place)
    return _READ[key]


_READ: dict[tuple[str, ...], OfflineDataset] = {}  # reading takes seconds, and a run judges twenty times


def folder(card: TaskCard, split: str) -> Path:
    assert card.data, "a card without logs"
    place = root() / name(card, card.data, "train" if card.same_tasks else split)
    if not place.exists():
        raise StorageError(
            f"{place}: no logs there; make them with: metairl collect {card.id} --quality {card.data}"
        )
    return place


def _read(card: TaskCard, spec: Spec, split: str, folder: Path) -> OfflineDataset:
    episodes, about = minari.load(folder)
    if about["world_sha256"] != env_sha256(card):
        raise StorageError(f"{folder}: was logged in another version of the world of '{card.id}'")
    for number, episode in enumerate(episodes):
        check_sound(episode, spec, f"{folder}, episode {number}")
    by_task: dict[str, list[Episode]] = defaultdict(list)
    for episode in episodes:
        by_task[episode.task].append(episode)
    groups = _trained(card, by_task, folder) if split == "train" else _judged(card, by_task, split, folder)
    return OfflineDataset(laid_out(groups, spec, card), about["sha256"], ends=ends_of(card))


def _trained(card: TaskCard, by_task: dict[str, list[Episode]], folder: Path) -> list[list[Episode]]:
    leaked = sampling.held_out(card).intersection(by_task)
    if leaked:
        raise DamagedFile(f"{folder}: {len(leaked)} of its training tasks are held-out tasks")
    return list(by_task.values())


def _judged(
    card: TaskCard, by_task: dict[str, list[Episode]], split: str, folder: Path
) -> list[list[Episode]]:
    wanted = sampling.task_set(card, split).digests
    absent = sum(digest not in by_task for digest in wanted)
    if absent:
        raise StorageError(f"{folder}: has no logs of {absent} of the {len(wanted)} {split} tasks")
    return [by_task[digest] for digest in wanted]


def laid_out(groups: Sequence[Sequence[Episode]], spec: Spec, card: TaskCard) -> Replay:
    """A task's episodes each."""
    tasks = torch.tensor([group[0].parameters for group in groups], dtype=torch.float32)
    replay = Replay(max(map(len, groups)), spec.horizon, _families(card, tasks))
    replay.tasks = tasks
    replay.num_trials = torch.tensor([len(group) for group in groups])
    shape = (len(groups), replay.capacity, replay.length)
    replay.data = {
        name: torch.zeros(*shape, *width)
        for name, width in (
            ("obs", [spec.obs]), ("action", [spec.actions]), ("reward", []), ("next_obs", [spec.obs]),
            ("done", []), ("terminated", []),
        )
    }  # fmt: skip
    for row, group in enumerate(groups):
        for place, episode in enumerate(group):
            steps = len(episode.reward)
            replay.lengths[row, place] = steps
            for name, values in _columns(episode, spec).items():
                replay.data[name][row, place, :steps] = values
    replay.data["training_reward"] = replay.data["reward"]
    return replay


def _columns(episode: Episode, spec: Spec) -> dict[str, Tensor]:
    obs, action = torch.from_numpy(np.float32(episode.obs)), torch.from_numpy(np.asarray(episode.action))
    return {
        "obs": obs[:-1],
        "next_obs": obs[1:],
        "action": one_hot(action.long(), spec.actions).float() if spec.discrete else action.float(),
        "reward": torch.from_numpy(np.float32(episode.reward)),
        "done": torch.from_numpy(episode.terminated | episode.truncated).float(),
        "terminated": torch.from_numpy(episode.terminated).float(),
    }


def _families(card: TaskCard, tasks: Tensor) -> Tensor:
    """Which training skill each is of, by what its parameters begin with."""
    if card.arm is None:
        return torch.zeros(len(tasks), dtype=torch.long)
    named = tasks[:, : len(NAMES)].argmax(1, keepdim=True)
    return (named == torch.tensor(sampling.skills(card))).long().argmax(1)
