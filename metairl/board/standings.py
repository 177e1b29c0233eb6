"""What a board shows: every row's scores, their intervals and its rank. A pure function of accepted submissions.

score      a run's mean over a column's test tasks, in the column's metric
cell       mean of a column's scores, its interval over seeds and tasks
aggregate  interquartile mean of all scores of a row that fills every column, stratified bootstrap
rank       rows whose intervals overlap share places: "1 to 3"
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from metairl.cards import BoardCard
from metairl.stats import Floats, Interval

Tier = Literal["self", "checked", "rerun"]


@dataclass(frozen=True)
class Curve:
    """Scores on the validation tasks while a row's runs learned on one column's task."""

    column: str
    steps: Floats  # [moments], training steps
    mean: Floats  # [moments], over seeds


@dataclass(frozen=True)
class Made:
    """Where one of a row's runs came from."""

    path: str  # below the submission
    task: str
    seed: int
    steps: int  # its training budget
    versions: dict[str, str]
    hardware: str
    commit: str
    command: str  # that makes it again


@dataclass(frozen=True)
class Standing:
    """A row."""

    slug: str  # "pearl", "bc-demos+pearl"
    name: str  # for people
    family: str
    encoder: str | None
    support: str
    authors: list[str]
    description: str
    url: str | None
    paper: str | None
    licence: str
    date: date
    digest: str  # of the submission
    tier: Tier
    rank: tuple[int, int] | None  # None: a column is missing
    aggregate: Interval | None
    cells: dict[str, Interval | None]  # by column
    scores: dict[str, Floats]  # by column: [seeds]
    curves: list[Curve]
    runs: list[Made]


@dataclass(frozen=True)
class Standings:
    board: BoardCard
    rows: list[Standing]  # best first; rows without a rank last
