"""What a task shows of itself to whoever explains demonstrations: a chart and n episodes, no reward."""

from pathlib import Path

import torch
from torch import Generator, Tensor

from metairl import logs
from metairl.cards import TaskCard
from metairl.charts import CHARTS
from metairl.errors import DamagedFile, StorageError
from metairl.logs import Logs
from metairl.streams import stream
from metairl.types import Chart, Demonstrations, Spec


def shown(card: TaskCard, spec: Spec, split: str, seed: int) -> tuple[Chart, Demonstrations]:
    """Of every task of a split, as many as its card says; which ones is the seed's, n of them among n + 1."""
    assert card.demos, "a card that says how many"
    found, rng = logs.read(card, spec, split), stream("judge", "demonstrations", card.id, split, seed)
    return charted(found, spec), chosen(found, spec, card.demos, rng, logs.folder(card, split))


def every(card: TaskCard, spec: Spec, split: str) -> tuple[Chart, Demonstrations]:
    """Of every task all that there are, as many as of the one with fewest."""
    found = logs.read(card, spec, split)
    least = int(found.replay.lived.min())
    return charted(found, spec), chosen(found, spec, least, stream("showing"), logs.folder(card, split))


def charted(found: Logs, spec: Spec) -> Chart:
    assert spec.chart, "a world with a chart"
    return CHARTS[spec.chart](found.replay.tasks.double(), spec.obs, spec.actions).chart


def chosen(found: Logs, spec: Spec, count: int, rng: Generator, where: Path) -> Demonstrations:
    """So many demonstrations of every task, after a look at all of them."""
    lived = found.replay.lived
    if int(lived.min()) < count:
        short = int(lived.argmin())
        raise StorageError(f"{where}: task {short} has {int(lived[short])} episodes in its logs, not {count}")
    require_whole(found, spec, where)
    least = int(lived.min())
    seen, after, did = (found.replay.kept[name][:, :least].argmax(-1) for name in ("obs", "after", "action"))
    require_possible(charted(found, spec), seen, did, after, str(where))
    picks = torch.stack([torch.randperm(int(room), generator=rng)[:count] for room in lived])
    rows = torch.arange(len(picks)).unsqueeze(1)
    states, actions = (found.replay.kept[name][rows, picks].argmax(-1) for name in ("obs", "action"))
    return Demonstrations(states, actions)


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
