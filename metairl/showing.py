"""What a task shows of itself to whoever explains demonstrations: a chart and n episodes, no reward."""

import torch
from torch import Generator

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
    found = logs.read(card, spec, split)
    return charted(found, spec), chosen(
        found,
        spec,
        card.demos,
        stream("judge", "demonstrations", card.id, split, seed),
        f"{card.id}, {split}",
    )


def every(card: TaskCard, spec: Spec, split: str) -> tuple[Chart, Demonstrations]:
    """Of every task all that there are, as many as of the one with fewest."""
    found = logs.read(card, spec, split)
    least = int(found.replay.lived.min())
    return charted(found, spec), chosen(found, spec, least, stream("showing", split), f"{card.id}, {split}")


def charted(found: Logs, spec: Spec) -> Chart:
    assert spec.chart, "a world with a chart"
    return CHARTS[spec.chart](found.replay.tasks.double(), spec.obs, spec.actions).chart


def chosen(found: Logs, spec: Spec, count: int, rng: Generator, where: str) -> Demonstrations:
    """So many demonstrations of every task."""
    lived = found.replay.lived
    if int(lived.min()) < count:
        short = int(lived.argmin())
        raise StorageError(f"{where}: task {short} has {int(lived[short])} episodes in its logs, not {count}")
    picks = torch.stack([torch.randperm(int(room), generator=rng)[:count] for room in lived])
    rows = torch.arange(len(picks)).unsqueeze(1)
    states, actions = (found.replay.kept[name][rows, picks].argmax(-1) for name in ("obs", "action"))
    made = Demonstrations(states, actions)
    require_possible(charted(found, spec), made, where)
    return made


def require_possible(chart: Chart, shown: Demonstrations, where: str) -> None:
    """Every step of every demonstration can happen."""
    here, there, did = shown.states[..., :-1], shown.states[..., 1:], shown.actions[..., :-1]
    lane = torch.arange(len(chart)).view(-1, 1, 1)
    cell = torch.zeros_like(here) if chart.chances.shape[1] == 1 else here
    led = chart.successors[lane, here] == there.unsqueeze(-1)
    chance = (chart.chances[lane, cell, did] * led).sum(-1)  # [B, N, H − 1]
    impossible = (chance <= 0).nonzero()
    if len(impossible):
        task, episode, step = impossible[0].tolist()
        at = task, episode, step
        raise DamagedFile(
            f"{where}: task {task}, demonstration {episode}, step {step} goes from state {int(here[at])} to "
            f"{int(there[at])}, where action {int(did[at])} never leads"
        )
