"""What a task shows of itself to whoever learns from demonstrations: n episodes, no reward.

explainers    the chart of the task, and the episodes as states and actions on it
imitators     the episodes as transitions
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from metairl.core.errors import DamagedFile, StorageError
from metairl.core.rng import stream
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.data import minari, offline_dataset
from metairl.data.imitated import DemonstratedTasks
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.task_sources import TrainingTasks
from metairl.envs.engines import Kind
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS
from metairl.tasks.sampling import TaskSet


def shown(card: TaskCard, spec: Spec, split: str, seed: int) -> tuple[FiniteMDP, Demonstrations]:
    """Of every task of a split, as many as its card says; which ones is the seed's, n of them among n + 1."""
    assert card.demos, "a card that says how many"
    found, where = offline_dataset.read(card, spec, split), offline_dataset.folder(card, split)
    return charted(found, spec), chosen(found, spec, card.demos, _choice(card, split, seed), where)


def demonstrated(card: TaskCard, spec: Spec, split: str, seed: int) -> OfflineDataset:
    """The same episodes, for whoever knows no chart."""
    assert card.demos, "a card that says how many"
    found = offline_dataset.read(card, spec, split)
    check_enough(found, card.demos, offline_dataset.folder(card, split))
    places = picks(found, card.demos, _choice(card, split, seed))
    every = torch.arange(len(found))
    few = found.replay.select_trials(every, places, torch.full_like(every, card.demos))
    return replace(found, replay=few).demonstrated(card.demos)


def beside(
    demos: OfflineDataset, card: TaskCard, spec: Spec, split: str, other_data: str | None
) -> OfflineDataset:
    """The same with logs of another quality, of the same tasks, which nobody demonstrated."""
    if other_data is None:
        return demos
    found = offline_dataset.read(other_logs(card, other_data), spec, split)
    if found.replay.tasks.shape != demos.replay.tasks.shape or not found.replay.tasks.equal(
        demos.replay.tasks
    ):
        raise StorageError(
            f"logs of '{card.id}' called '{other_data}' are of other tasks than its demonstrations"
        )
    others = found.replay.demonstrated()
    others.is_demo = False
    return replace(demos, others=others)


def other_logs(card: TaskCard, other_data: str) -> TaskCard:
    return card.model_copy(update={"data": other_data, "demos": None})


def to_learn_from(card: TaskCard, spec: Spec, seed: int) -> OfflineDataset:
    """All demonstrations of the training tasks; those that are shown, where it is these tasks that count."""
    if card.same_tasks:
        return demonstrated(card, spec, "train", seed)
    assert card.demos, "a card that says how many"
    return offline_dataset.read(card, spec, "train").demonstrated(card.demos)


def imitated(card: TaskCard, spec: Spec, engine: Kind, seed: int) -> DemonstratedTasks:
    """The training tasks that were demonstrated: those that logs were collected of."""
    demos = to_learn_from(card, spec, seed)
    if card.split.train != "endless":
        fixed = TaskSet(card.id, "train", sampling.task_set(card, "train")[slice(len(demos))])
        return DemonstratedTasks(card, spec, engine, fixed, demos)
    collected = stream(
        "collect", "tasks", card.id, minari.about(offline_dataset.folder(card, "train"))["seed"]
    )
    return DemonstratedTasks(
        card, spec, engine, TrainingTasks(card, spec).different(len(demos), collected), demos
    )


def _choice(card: TaskCard, split: str, seed: int) -> Generator:
    return stream("judge", "demonstrations", card.id, "train" if card.same_tasks else split, seed)


def every(card: TaskCard, spec: Spec, split: str) -> tuple[FiniteMDP, Demonstrations]:
    """Of every task all that there are, as many as of the one with fewest."""
    found = offline_dataset.read(card, spec, split)
    least = int(found.replay.num_trials.min())
    return charted(found, spec), chosen(
        found, spec, least, stream("showing"), offline_dataset.folder(card, split)
    )


def charted(found: OfflineDataset, spec: Spec) -> FiniteMDP:
    assert spec.chart, "a world with a chart"
    return FINITE_MDPS[spec.chart](found.replay.tasks.double(), spec.obs, spec.actions).chart


def chosen(found: OfflineDataset, spec: Spec, count: int, rng: Generator, where: Path) -> Demonstrations:
    """So many demonstrations of every task, after a look at all of them."""
    check_enough(found, count, where)
    check_whole(found, spec, where)
    least = int(found.replay.num_trials.min())
    seen, after, did = (
        found.replay.data[name][:, :least].argmax(-1) for name in ("obs", "next_obs", "action")
    )
    check_possible(charted(found, spec), seen, did, after, str(where))
    places = picks(found, count, rng)
    rows = torch.arange(len(places)).unsqueeze(1)
    states, actions = (found.replay.data[name][rows, places].argmax(-1) for name in ("obs", "action"))
    return Demonstrations(states, actions)


def picks(found: OfflineDataset, count: int, rng: Generator) -> Tensor:
    """Which episodes of every task are shown, [B, n]; the same of the same task."""
    _, same = torch.unique(found.replay.tasks, dim=0, return_inverse=True)
    chosen: dict[int, Tensor] = {}
    for task, room in zip(same.tolist(), found.replay.num_trials.tolist(), strict=True):
        if task not in chosen:
            chosen[task] = torch.randperm(room, generator=rng)[:count]
    return torch.stack([chosen[task] for task in same.tolist()])


def check_enough(found: OfflineDataset, count: int, where: Path) -> None:
    lived = found.replay.num_trials
    if int(lived.min()) < count:
        short = int(lived.argmin())
        raise StorageError(f"{where}: task {short} has {int(lived[short])} episodes in its logs, not {count}")


def check_whole(found: OfflineDataset, spec: Spec, where: Path) -> None:
    """Every episode has all its steps, and every observation is of one state."""
    there = torch.arange(found.replay.capacity) < found.replay.num_trials.unsqueeze(1)
    short = (there & (found.replay.lengths != spec.horizon)).nonzero()
    if len(short):
        task, episode = short[0].tolist()
        steps = int(found.replay.lengths[task, episode])
        raise DamagedFile(f"{where}: task {task}, episode {episode} has {steps} steps, not {spec.horizon}")
    obs = found.replay.data["obs"]
    blurred = (there.unsqueeze(-1) & ((obs.amax(-1) != 1) | (obs.sum(-1) != 1))).nonzero()
    if len(blurred):
        task, episode, step = blurred[0].tolist()
        raise DamagedFile(f"{where}: task {task}, episode {episode}, step {step} is not of one state")


def check_possible(chart: FiniteMDP, here: Tensor, did: Tensor, there: Tensor, where: str) -> None:
    """Every step of every demonstration, [B, N, H], can happen."""
    lane = torch.arange(len(chart)).view(-1, 1, 1)
    cell = torch.zeros_like(here) if chart.probs.shape[1] == 1 else here
    led = chart.successors[lane, here] == there.unsqueeze(-1)
    chance = (chart.probs[lane, cell, did] * led).sum(-1)
    impossible = (chance <= 0).nonzero()
    if len(impossible):
        task, episode, step = impossible[0].tolist()
        at = task, episode, step
        raise DamagedFile(
            f"{where}: task {task}, episode {episode}, step {step} goes from state {int(here[at])} to "
            f"{int(there[at])}, where action {int(did[at])} never leads"
        )
