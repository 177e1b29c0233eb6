"""Offline datasets: read from disk, checked, and arranged by task.

A dataset belongs to a card, a split and a quality. `metairl collect` writes one, or imports any Minari dataset.
Damaged or mismatched data is refused before anything is trained on it.
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
from metairl.tasks.cards import SUPPORT_SIZES, TaskCard
from metairl.tasks.metaworld_boxes import NAMES


def root() -> Path:
    """The folder of datasets: METAIRL_DATA, else datasets/ in the working directory."""
    return Path(os.environ.get("METAIRL_DATA", "datasets"))


def name(card: TaskCard, quality: str, split: str) -> str:
    """Name of the dataset's folder; the number of episodes in a trial does not matter."""
    skill = [card.skill] if "skill" in card.settable else []
    goals = [card.goals] if "goals" in card.settable else []
    return "-".join([card.id, *skill, *goals, str(card.horizon), quality, split, "v0"])


def env_sha256(card: TaskCard) -> str:
    """Hash of the part of a card that determines logged data."""
    return card.model_copy(update=dict.fromkeys(SUPPORT_SIZES) | {"data": None, "episodes": 1}).sha256


@dataclass(frozen=True)
class OfflineDataset:
    """Logged data of N tasks, in a fixed order."""

    replay: Replay  # an episode is a trial
    sha256: str
    context_episodes: int | None = None  # episodes of a task that it is inferred from; None: all of them
    comparisons: int | None = None  # answers that a task is inferred from; None: from transitions
    others: Replay | None = None  # other data of the same tasks, not demonstrated, without reward
    ends: Ends | None = None  # termination as a function of next observations; None: episodes never terminate

    def __len__(self) -> int:
        return len(self.replay.num_trials)

    def select(self, index: int) -> "OfflineDataset":
        one = torch.tensor([index])
        others = None if self.others is None else self.others.select(one)
        return replace(self, replay=self.replay.select(one), others=others)

    def as_demonstrations(self, context_episodes: int) -> "OfflineDataset":
        """Without reward; tasks are inferred from so many episodes."""
        demos = self.replay.without_reward(is_demo=True)
        return replace(self, replay=demos, context_episodes=context_episodes)

    def best_trials(self, share: float) -> Replay:
        """That share of every task's episodes, those of highest return; at least one."""
        return self.replay if share == 1 else self.replay.best_trials(share)

    def sample_context(self, which: Tensor, count: int, in_order: bool, rng: Generator) -> Batch:
        """So many transitions of each task, at random or as a segment in order."""
        replay = self.replay
        if self.context_episodes is not None:
            replay = replay.sample_trials(which, self.context_episodes, rng)
            which = torch.arange(len(which))
        if in_order:
            return replay.sample_segments(which, min(count, replay.length), rng).batch
        return replay.sample_transitions(which, count, rng)


def labelled(card: TaskCard, spec: Spec, split: str, seed: int) -> OfflineDataset:
    """The transitions of every task that are labelled with rewards, as many as the card says, chosen by the seed."""
    found = read(card, spec, split)
    if card.labels is None:
        return found
    there = found.replay.lengths.sum(1)
    if int(there.min()) < card.labels:
        short = int(there.argmin())
        raise StorageError(
            f"{folder(card, split)}: task {short} has {int(there[short])} transitions, not {card.labels} to label"
        )
    return replace(
        found, replay=found.replay.sample_distinct(card.labels, stream("labels", card.id, split, seed))
    )


def sha256(card: TaskCard, split: str) -> str:
    """Hash of the dataset's numbers."""
    said: str = minari.metadata(folder(card, split))["sha256"]
    return said


def read(card: TaskCard, spec: Spec, split: str) -> OfflineDataset:
    """The data of every task of a split in order; for training tasks, of all that were collected."""
    place = folder(card, split)
    key = (card.sha256, split, str(place), minari.metadata(place)["sha256"])
    if key not in _READ:
        _READ[key] = _read(card, spec, split, place)
    return _READ[key]


_READ: dict[tuple[str, ...], OfflineDataset] = {}  # reading takes seconds, and a run is judged twenty times


def folder(card: TaskCard, split: str) -> Path:
    assert card.data, "checked by the method's requirements"
    place = root() / name(card, card.data, "train" if card.same_tasks else split)
    if not place.exists():
        raise StorageError(
            f"{place}: no dataset there; collect one with: metairl collect {card.id} --quality {card.data}"
        )
    return place


def _read(card: TaskCard, spec: Spec, split: str, folder: Path) -> OfflineDataset:
    episodes, about = minari.load(folder)
    if about["world_sha256"] != env_sha256(card):
        raise StorageError(f"{folder}: was collected in another version of the environment of '{card.id}'")
    for number, episode in enumerate(episodes):
        check_sound(episode, spec, f"{folder}, episode {number}")
    by_task: dict[str, list[Episode]] = defaultdict(list)
    for episode in episodes:
        by_task[episode.task].append(episode)
    groups = _trained(card, by_task, folder) if split == "train" else _judged(card, by_task, split, folder)
    return OfflineDataset(as_replay(groups, spec, card), about["sha256"], ends=ends_of(card))


def _trained(card: TaskCard, by_task: dict[str, list[Episode]], folder: Path) -> list[list[Episode]]:
    leaked = sampling.held_out(card).intersection(by_task)
    if leaked:
        raise DamagedFile(f"{folder}: {len(leaked)} of its training tasks are held out")
    return list(by_task.values())


def _judged(
    card: TaskCard, by_task: dict[str, list[Episode]], split: str, folder: Path
) -> list[list[Episode]]:
    wanted = sampling.task_set(card, split).digests
    absent = sum(digest not in by_task for digest in wanted)
    if absent:
        raise StorageError(f"{folder}: has no data of {absent} of the {len(wanted)} {split} tasks")
    return [by_task[digest] for digest in wanted]


def as_replay(groups: Sequence[Sequence[Episode]], spec: Spec, card: TaskCard) -> Replay:
    """One task a row, from the episodes of each."""
    tasks = torch.tensor([group[0].parameters for group in groups], dtype=torch.float32)
    shape = (len(groups), max(map(len, groups)), spec.horizon)
    widths: dict[str, list[int]] = {
        "obs": [spec.obs],
        "action": [spec.actions],
        "reward": [],
        "next_obs": [spec.obs],
        "done": [],
        "terminated": [],
    }
    data = {name: torch.zeros(*shape, *width) for name, width in widths.items()}
    lengths = torch.zeros(shape[:2], dtype=torch.long)
    for row, group in enumerate(groups):
        for slot, episode in enumerate(group):
            steps = len(episode.reward)
            lengths[row, slot] = steps
            for name, values in _columns(episode, spec).items():
                data[name][row, slot, :steps] = values
    data["training_reward"] = data["reward"]
    num_trials = torch.tensor([len(group) for group in groups])
    return Replay.filled(data, lengths, tasks, _families(card, tasks), num_trials)


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
    """The training skill of each task, from the one-hot code at the start of its parameters."""
    if card.arm is None:
        return torch.zeros(len(tasks), dtype=torch.long)
    named = tasks[:, : len(NAMES)].argmax(1, keepdim=True)
    return (named == torch.tensor(sampling.skills(card))).long().argmax(1)
