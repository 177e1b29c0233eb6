"""Collect whole episodes of an expert on every task of a split, as a Minari dataset with seeds and hashes."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from tyro.conf import Positional

from metairl import catalogue, data, draws, methods
from metairl.cards import TaskCard
from metairl.commands.show import print_json, print_rows
from metairl.demonstrations import collect
from metairl.errors import UsageError
from metairl.request import build, request, spec_of
from metairl.run import versions
from metairl.skill_boxes import NAMES


@dataclass(frozen=True)
class Collect:
    task: Positional[str]  # its card; `episodes` of its settings is set by --episodes
    expert: str = "scripted"  # a method that trains nothing
    episodes: int = 1  # of every task
    split: Literal["train", "validation", "test"] = "train"
    tasks: int | None = None  # only the first so many tasks of the split
    seed: int = 0
    engine: str = "cpu"
    threads: int = 2  # of torch
    out: Path = Path("datasets")  # the dataset becomes a folder of its own in there
    json: bool = False  # print one object


def main(words: list[str]) -> int:
    args = tyro.cli(Collect, prog="metairl collect", description=__doc__, args=words)
    for name, count in (("episodes", args.episodes), ("tasks", args.tasks)):
        if count is not None and count < 1:
            raise UsageError(f"--{name} must be 1 or more, not {count}")
    if methods.find(args.expert).recipe:
        raise UsageError(f"method '{args.expert}' has to be trained first; an expert here trains nothing")
    torch.set_num_threads(args.threads)
    asked = request(args.expert, args.task, seed=args.seed, engine=args.engine)
    card = asked.card.model_copy(update={"episodes": args.episodes})
    policy, _ = build(asked)
    drawn = draws.task_set(card, args.split)
    some = draws.TaskSet(card.id, args.split, drawn[slice(args.tasks)])
    about = {
        "task": catalogue.task_name(args.task),
        "card_sha256": asked.card.sha256,
        "episodes": args.episodes,  # of every task, whatever the card says
        "split": args.split,
        "tasks_sha256": some.sha256,
        "method": args.expert,
        "seed": args.seed,
        "engine": asked.engine,
        "versions": versions(),
    }
    task = re.sub(r"[^a-z0-9]+", "-", catalogue.task_name(args.task))
    name = f"{task}-{args.expert}-{args.split}-seed-{args.seed}-v0"
    successes: dict[str, list[bool]] = defaultdict(list)
    episodes = collect(policy, card, some, asked.sight, args.seed, asked.engine)
    folder = data.save(args.out, name, spec_of(card), _counted(episodes, card, successes), about)
    rates = {kind: sum(found) / len(found) for kind, found in sorted(successes.items())}
    if args.json:
        print_json({"folder": str(folder), **about, "success": rates})
    else:
        print_rows(
            [{"task": kind, "episodes": len(successes[kind]), "success": rates[kind]} for kind in rates]
        )
        print(f"{sum(map(len, successes.values()))} episodes in {folder}")
    return 0


def _counted(
    episodes: Iterable[data.Episode], card: TaskCard, successes: dict[str, list[bool]]
) -> Iterator[data.Episode]:
    """The same episodes; on the way, which of them ever succeeded, by skill where there are skills."""
    for episode in episodes:
        skill = NAMES[max(range(len(NAMES)), key=episode.parameters.__getitem__)] if card.arm else card.id
        successes[skill].append(bool(episode.success.any()))
        yield episode
