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
from metairl.core.types import Chart, Demonstrations, Spec
from metairl.data import minari, offline_dataset
from metairl.data.imitated import Imitated
from metairl.data.offline_dataset import Logs
from metairl.data.task_sources import TrainingTasks
from metairl.envs.engines import Kind
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import CHARTS
from metairl.tasks.sampling import TaskSet


def shown(card: TaskCard, spec: Spec, split: str, seed: int) -> tuple[Chart, Demonstrations]:
    """Of every task of a split, as many as its card says; which ones is the seed's, n of them among n + 1."""
    assert card.demos, "a card that says how many"
    found, where = offline_dataset.read(card, spec, split), offline_dataset.folder(card, split)
    return charted(found, spec), chosen(found, spec, card.demos, _choice(card, split, seed), where)


def demonstrated(card: TaskCard, spec: Spec, split: str, seed: int) -> Logs:
    """The same episodes, for whoever knows no chart."""
    assert card.demos, "a card that says how many"
    found = offline_dataset.read(card, spec, split)
    require_enough(found, card.demos, offline_dataset.folder(card, split))
    places = picks(found, card.demos, _choice(card, split, seed))
    every = torch.arange(len(found))
    few = found.replay.taken(every, places, torch.full_like(every, card.demos))
    return replace(found, replay=few).demonstrated(card.demos)


def beside(demos: Logs, card: TaskCard, spec: Spec, split: str, diverse: str | None) -> Logs:
    """The same with logs of another quality, of the same tasks, which nobody demonstrated."""
    if diverse is None:
        return demos
    found = offline_dataset.read(other_logs(card, diverse), spec, split)
    if found.replay.tasks.shape != demos.replay.tasks.shape or not found.replay.tasks.equal(
        demos.replay.tasks
    ):
        raise StorageError(
            f"logs of '{card.id}' called '{diverse}' are of other tasks than its demonstrations"
        )
    others = found.replay.demonstrated()
    others.shown = False
    return replace(demos, others=others)


def other_logs(card: TaskCard, diverse: str) -> TaskCard:
    return card.model_copy(update={"data": diverse, "demos": None})


def to_learn_from(card: TaskCard, spec: Spec, seed: int) -> Logs:
    """All demonstrations of the training tasks; those that are shown, where it is these tasks that count."""
    if card.same_tasks:
        return demonstrated(card, spec, "train", seed)
    assert card.demos, "a card that says how many"
    return offline_dataset.read(card, spec, "train").demonstrated(card.demos)


def imitated(card: TaskCard, spec: Spec, engine: Kind, seed: int) -> Imitated:
    """The training tasks that were demonstrated: those that logs were collected of."""
    demos = to_learn_from(card, spec, seed)
    if card.split.train != "endless":
        fixed = TaskSet(card.id, "train", sampling.task_set(card, "train")[slice(len(demos))])
        return Imitated(card, spec, engine, fixed, demos)
    collected = stream(
        "collect", "tasks", card.id, minari.about(offline_dataset.folder(card, "train"))["seed"]
    )
    return Imitated(card, spec, engine, TrainingTasks(card, spec).different(len(demos), collected), demos)


def _choice(card: TaskCard, split: str, seed: int) -> Generator:
    return stream("judge", "demonstrations", card.id, "train" if card.same_tasks else split, seed)


def every(card: TaskCard, spec: Spec, split: str) -> tuple[Chart, Demonstrations]:
    """Of every task all that there are, as many as of the one with fewest."""
    found = offline_dataset.read(card, spec, split)
    least = int(found.replay.lived.min())
    return charted(found, spec), chosen(
        found, spec, least, stream("showing"), offline_dataset.folder(card, split)
    )


def charted(found: Logs, spec: Spec) -> Chart:
    assert spec.chart, "a world with a chart"
    return CHARTS[spec.chart](found.replay.tasks.double(), spec.obs, spec.actions).chart


def chosen(found: Logs, spec: Spec, count: int, rng: Generator, where: Path) -> Demonstrations:
    """So many demonstrations of every task, after a look at all of them."""
    require_enough(found, count, where)
    require_whole(found, spec, where)
    least = int(found.replay.lived.min())
    seen, after, did = (found.replay.kept[name][:, :least].argmax(-1) for name in ("obs", "after", "action"))
    require_possible(charted(found, spec), seen, did, after, str(where))
    places = picks(found, count, rng)
    rows = torch.arange(len(places)).unsqueeze(1)
    states, actions = (found.replay.kept[name][rows, places].argmax(-1) for name in ("obs", "action"))
    return Demonstrations(states, actions)


def picks(found: Logs, count: int, rng: Generator) -> Tensor:
    """Which episodes of every task are shown, [B, n]; the same of the same task."""
    _, same = torch.unique(found.replay.tasks, dim=0, return_inverse=True)
    chosen: dict[int, Tensor] = {}
    for task, room in zip(same.tolist(), found.replay.lived.tolist(), strict=True):
        if task not in chosen:
            chosen[task] = torch.randperm(room, generator=rng)[:count]
    return torch.stack([chosen[task] for task in same.tolist()])


def require_enough(found: Logs, count: int, where: Path) -> None:
    lived = found.replay.lived
    if int(lived.min()) < count:
        short = int(lived.argmin())
        raise StorageError(f"{where}: task {short} has {int(lived[short])} episodes in its logs, not {count}")


def require_whole(found: Logs, spec: Spec, where: Path) -> None:
    """Every episode has all its steps, and every observation is of one state."""
    there = torch.arange(found.replay.room) < found.replay.lived.unsqueeze(1)
    short = (there & (found.replay.lengths != spec.horizon)).nonzero()
    if len(short):
        task, episode = short[0].tolist()
        steps = int(found.replay.lengths[task, episode])
        raise DamagedFile(f"{where}: task {task}, episode {episode} has {steps} steps, not {spec.horizon}")
    obs = found.replay.kept["obs"]
    blurred = (there.unsqueeze(-1) & ((obs.amax(-1) != 1) | (obs.sum(-1) != 1))).nonzero()
    if len(blurred):
        task, episode, step = blurred[0].tolist()
        raise DamagedFile(f"{where}: task {task}, episode {episode}, step {step} is not of one state")


def require_possible(chart: Chart, here: Tensor, did: Tensor, there: Tensor, where: str) -> None:
    """Every step of every demonstration, [B, N, H], can happen."""
    lane = torch.arange(len(chart)).view(-1, 1, 1)
    cell = torch.zeros_like(here) if chart.chances.shape[1] == 1 else here
    led = chart.successors[lane, here] == there.unsqueeze(-1)
    chance = (chart.chances[lane, cell, did] * led).sum(-1)
    impossible = (chance <= 0).nonzero()
    if len(impossible):
        task, episode, step = impossible[0].tolist()
        at = task, episode, step
        raise DamagedFile(
            f"{where}: task {task}, episode {episode}, step {step} goes from state {int(here[at])} to "
            f"{int(there[at])}, where action {int(did[at])} never leads"
        )
