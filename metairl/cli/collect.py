"""Collect whole episodes on every task of each split, as Minari datasets with seeds and hashes.

An expert that learns is trained first, if its run is not there yet. The same words again make the same
numbers, and go on where they were stopped. With --take, somebody else's dataset becomes logs of a task.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from rich.console import Console as Terminal
from rich.progress import track
from tyro.conf import Positional

from metairl.cli.show import print_json, print_rows
from metairl.core.errors import UsageError
from metairl.core.rng import stream
from metairl.data import minari, offline_dataset
from metairl.data.collection import parts
from metairl.data.episodes import Episode, Parts
from metairl.data.task_sources import TrainingTasks
from metairl.envs import spec_of
from metairl.experiments import experts
from metairl.experiments.experts import Quality
from metairl.experiments.run import versions
from metairl.experiments.tracking import Console
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard, digest
from metairl.tasks.metaworld_boxes import NAMES


@dataclass(frozen=True)
class Collect:
    task: Positional[str]  # its card; how many episodes are collected is said by --episodes alone
    quality: Quality = "expert"
    name: str | None = None  # what `data=NAME` will call them; by default the quality
    expert: str | None = None  # a method; by default who usually shows how it is done in such a world
    encoder: str | None = None  # of the expert
    episodes: int = 20  # of every task
    split: Literal["all", "train", "validation", "test"] = "all"
    tasks: int | None = None  # to train on, the first so many; of an endless split, by default 50
    seed: int = 0  # of the expert's run and of all chance in collecting
    engine: str = "cpu"
    threads: int = 2  # of torch
    runs: Path = Path("runs")  # where the expert's run is, or will be
    out: Path | None = None  # each dataset becomes a folder in there; by default METAIRL_DATA or datasets/
    take: Path | None = None  # a Minari dataset of another make, whose episodes become logs of the task
    json: bool = False  # print one object


def main(words: list[str]) -> int:
    args = tyro.cli(Collect, prog="metairl collect", description=__doc__, args=words)
    for name, count in (("episodes", args.episodes), ("tasks", args.tasks)):
        if count is not None and count < 1:
            raise UsageError(f"--{name} must be 1 or more, not {count}")
    torch.set_num_threads(args.threads)
    card = catalogue.task(args.task)
    made = [_take(args, card)] if args.take else _collect(args, card)
    if args.json:
        print_json(made[0] if len(made) == 1 else {"datasets": made})
    else:
        columns = ("split", "tasks", "episodes", "return", "folder")
        print_rows([{name: one[name] for name in columns} for one in made])
    return 0


def _collect(args: Collect, card: TaskCard) -> list[dict[str, Any]]:
    method, encoder = experts.expert_for(card, args.expert, args.encoder)
    request = experts.asked_for(args.task, method, encoder, args.seed, args.engine)
    policies, names = experts.policies(request, args.quality, args.runs, [Console()])
    every = ("train",) if card.same_tasks else ("train", "validation", "test")
    made = []
    for split in every if args.split == "all" else (args.split,):
        tasks = _tasks(args, card, split)
        again = card.model_copy(update={"episodes": args.episodes})
        pieces = parts(policies, again, tasks, request.inputs, args.seed, request.engine)
        about = _about(args, card, tasks) | {"expert": list(names), "engine": request.engine}
        about |= {"episodes_per_task": args.episodes}
        made.append(_saved(args, card, split, pieces, about))
    return made


def _saved(
    args: Collect, card: TaskCard, split: str, pieces: dict[str, Any], about: dict[str, Any]
) -> dict[str, Any]:
    root, name = (
        args.out or offline_dataset.root(),
        offline_dataset.name(card, args.name or args.quality, split),
    )
    minari.check_new(root / name)
    kept = Parts(root, f"{name}-{digest(about)[:12]}")  # other words begin anew
    sums = Sums(card)
    terminal = Terminal(stderr=True)
    parts = track(
        pieces.items(), f"collecting {split}", len(pieces), console=terminal, disable=not terminal.is_terminal
    )
    episodes = (episode for part, make in parts for episode in kept.load_or_make(part, make))
    folder = minari.save(root, name, spec_of(card), sums.counted(episodes), about)
    kept.clear()
    return {
        "split": split,
        **sums.said(),
        "folder": str(folder),
        **about,
        "sha256": minari.metadata(folder)["sha256"],
    }


def _tasks(args: Collect, card: TaskCard, split: str) -> sampling.TaskSet:
    if split == "train" and card.split.train == "endless":
        source = TrainingTasks(card, spec_of(card))
        return source.different(args.tasks or 50, stream("collect", "tasks", card.id, args.seed))
    drawn = sampling.task_set(card, split)
    return sampling.TaskSet(card.id, split, drawn[slice(args.tasks if split == "train" else None)])


def _about(args: Collect, card: TaskCard, tasks: sampling.TaskSet) -> dict[str, Any]:
    return {
        "task": catalogue.task_name(args.task),
        "world_sha256": offline_dataset.env_sha256(card),
        "quality": args.quality,
        "split": tasks.split,
        "tasks_sha256": tasks.sha256,
        "seed": args.seed,
        "versions": versions(),
    }


def _take(args: Collect, card: TaskCard) -> dict[str, Any]:
    """Logs of the one task of a card, from a dataset that says nothing of tasks."""
    if card.split.train != 1:
        raise UsageError(f"--take is for cards of one task; '{card.id}' has {card.split.train} to train on")
    if not args.name:
        raise UsageError("--take needs a --name for the logs, as in --name medium-by-others")
    assert args.take
    tasks = sampling.task_set(card, "train")
    spec = spec_of(card)
    episodes = minari.import_dataset(
        args.take, spec, tasks.digests[0], TrainingTasks(card, spec).parameters(tasks)
    )
    about = _about(args, card, tasks) | {"quality": args.name, "taken_from": args.take.name}
    return _saved(args, card, "train", {"000": lambda: episodes}, about)


class Sums:
    """What the episodes that pass by come to."""

    def __init__(self, card: TaskCard):
        self.card = card
        self.returns: list[float] = []
        self.tasks: set[str] = set()
        self.successes: dict[str, list[bool]] = defaultdict(list)

    def counted(self, episodes: Iterable[Episode]) -> Iterator[Episode]:
        for episode in episodes:
            self.returns.append(float(episode.reward.sum()))
            self.tasks.add(episode.task)
            self.successes[self._kind(episode)].append(bool(episode.success.any()))
            yield episode

    def said(self) -> dict[str, Any]:
        rates = {kind: sum(found) / len(found) for kind, found in sorted(self.successes.items())}
        mean = sum(self.returns) / len(self.returns)
        success = rates if self.card.reports_success else None
        return {"tasks": len(self.tasks), "episodes": len(self.returns), "return": mean, "success": success}

    def _kind(self, episode: Episode) -> str:
        """The skill, where there are skills."""
        arm = self.card.arm
        return NAMES[max(range(len(NAMES)), key=episode.parameters.__getitem__)] if arm else self.card.id
