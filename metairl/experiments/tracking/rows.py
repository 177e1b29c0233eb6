"""Which numbers a chart gets from which record. Pure: live tracking and `wandb-sync` share it.

    Training                     one row:  train/<metric>, train/gradient_steps, time/<name>
    Evaluations of one moment    one row a split:  eval/<split>/return_k<k> and .../success_k<k> for every
                                 episode index k, .../return and .../success of the last k,
                                 .../adaptation (a Curve), time/<split>/<name> summed over k

A moment is all evaluations at one step of the budget; it is over when the run goes on, so its row comes then.
Every row carries those steps, the axis of every chart.
"""

import math
from dataclasses import dataclass

from metairl.core.records import Evaluation, Training


@dataclass(frozen=True)
class Curve:
    """Adaptation: how the mean return over tasks grows with the episode index k."""

    rows: list[list[float]]
    columns = ("k", "mean return", "standard error", "n")


Row = dict[str, float | Curve]


class Rows:
    """Records in, finished rows out."""

    def __init__(self) -> None:
        self._moment: list[Evaluation] = []

    def take(self, record: Training | Evaluation) -> list[Row]:
        over = self.rest() if self._ends_moment(record) else []
        if isinstance(record, Training):
            return [*over, training_row(record)]
        self._moment.append(record)
        return over

    def rest(self) -> list[Row]:
        splits: dict[str, list[Evaluation]] = {}
        for evaluation in self._moment:
            splits.setdefault(evaluation.split, []).append(evaluation)
        self._moment = []
        return [evaluation_row(split) for split in splits.values()]

    def _ends_moment(self, record: Training | Evaluation) -> bool:
        if any(earlier.clock != record.clock for earlier in self._moment):
            return True
        # The same episode judged again at the same step count: a second evaluation of a finished run.
        return isinstance(record, Evaluation) and any(
            (earlier.split, earlier.k) == (record.split, record.k) for earlier in self._moment
        )


def training_row(record: Training) -> Row:
    row: Row = {"steps": record.clock}
    row |= {"train/env_steps": record.env_steps, "train/gradient_steps": record.gradient_steps}
    row |= {f"train/{name}": value for name, value in record.metrics.items()}
    return row | {f"time/{name}": value for name, value in record.seconds.items()}


def evaluation_row(moment: list[Evaluation]) -> Row:
    moment = sorted(moment, key=lambda evaluation: evaluation.k)
    split, last = f"eval/{moment[0].split}", moment[-1]
    row: Row = {"steps": last.clock}
    for episode in moment:
        row[f"{split}/return_k{episode.k}"] = mean(episode.returns)
        if episode.success is not None:
            row[f"{split}/success_k{episode.k}"] = mean(episode.success)
    row[f"{split}/return"] = mean(last.returns)
    if last.success is not None:
        row[f"{split}/success"] = mean(last.success)
    row[f"{split}/adaptation"] = Curve([curve_point(episode) for episode in moment])
    for name in last.seconds:
        row[f"time/{last.split}/{name}"] = sum(episode.seconds.get(name, 0.0) for episode in moment)
    return row


def curve_point(episode: Evaluation) -> list[float]:
    return [episode.k, mean(episode.returns), standard_error(episode.returns), len(episode.returns)]


def mean(values: list[float] | list[int]) -> float:
    return sum(values) / len(values) if values else math.nan


def standard_error(values: list[float]) -> float:
    """Of the mean over tasks; NaN for a single task, whose spread is unknown."""
    n, centre = len(values), mean(values)
    if n < 2:
        return math.nan
    # x * x, not x ** 2: a power that overflows raises, a product becomes inf.
    return math.sqrt(sum((value - centre) * (value - centre) for value in values) / (n - 1) / n)
