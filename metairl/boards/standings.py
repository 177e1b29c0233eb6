"""What a board shows: rows with their scores, intervals and ranks. A pure function of accepted submissions.

score      a run's mean over a column's test tasks, in the column's metric
cell       mean of a column's scores, its interval over seeds and tasks
aggregate  interquartile mean of all scores of a row that fills every column, stratified bootstrap
rank       rows whose intervals overlap share places: "1 to 3"
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from metairl.boards.bundle import Bundle
from metairl.boards.ledger import Accepted, Tier
from metairl.boards.scores import of_seeds, of_tasks
from metairl.boards.submission import Ran, Submission, read
from metairl.core.arrays import Floats
from metairl.core.records import Evaluation
from metairl.evaluation.confidence_intervals import bootstrap, bootstrap_runs
from metairl.evaluation.statistics import Interval, iqm, mean
from metairl.evaluation.tables import scores
from metairl.tasks import catalogue
from metairl.tasks.cards import BoardCard, Column, digest

REPETITIONS = 1_000  # of a cell, whose tasks may be twenty thousand


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


def standings(board: BoardCard, rows: Sequence[tuple[Submission, Tier]]) -> Standings:
    """Best first. The same submissions give the same intervals, whatever order they come in."""
    made = sorted((_standing(board, *row) for row in rows), key=lambda row: (row.slug, row.digest))
    ranked = [replace(row, rank=_rank(row, made)) for row in made]
    return Standings(board, sorted(ranked, key=_order))


def _order(row: Standing) -> tuple[bool, float]:
    return row.rank is None, -row.aggregate.value if row.aggregate else np.inf


def of_accepted(
    boards: Sequence[BoardCard], accepted: Sequence[Accepted], previews: Sequence[Submission] = ()
) -> list[Standings]:
    """Of these boards every one with a row on it. Previews appear as their authors claim them."""
    found: list[Standings] = []
    for board in boards:
        rows: list[tuple[Submission, Tier]] = [
            (read(Bundle(row.path)), row.tier) for row in accepted if row.board == board.id
        ]
        rows += [(submission, "self") for submission in previews if submission.sheet.board == board.id]
        found += [standings(board, rows)] if rows else []
    return found


def _standing(board: BoardCard, submission: Submission, tier: Tier) -> Standing:
    sheet, runs = submission.sheet, submission.runs
    by_column = of_seeds(runs, board)
    whole = len(by_column) == len(board.columns)
    return Standing(
        slug=sheet.method.slug,
        name=sheet.method.name,
        family=sheet.method.family,
        encoder=sheet.method.encoder,
        support=sheet.support,
        authors=list(sheet.authors),
        description=sheet.method.description,
        url=sheet.method.url,
        paper=sheet.method.paper,
        licence=sheet.licence,
        date=sheet.date,
        digest=submission.digest,
        tier=tier,
        rank=None,
        aggregate=_aggregate(submission, by_column, board) if whole else None,
        cells={column.name: _cell(submission, column, board) for column in board.columns},
        scores=by_column,
        curves=[curve for column in board.columns if (curve := _curve(runs, column, board))],
        runs=[_made(ran) for ran in runs],
    )


def _aggregate(submission: Submission, by_column: dict[str, Floats], board: BoardCard) -> Interval:
    """Columns of one task were judged on the same runs; other tasks had runs of their own."""
    tasks: dict[str, list[Floats]] = defaultdict(list)
    for column in board.columns:
        tasks[catalogue.task_name(column.task)].append(by_column[column.name])
    blocks = [np.stack(columns, axis=1) for columns in tasks.values()]
    return bootstrap_runs(blocks, iqm, _chance(submission, "all"))


def _cell(submission: Submission, column: Column, board: BoardCard) -> Interval | None:
    """Runs that were judged on many tasks, which stand for others of their kind."""
    values = of_tasks(submission.runs, column, board)
    if values is None:
        return None
    chance = _chance(submission, column.name)
    return bootstrap(
        list(values.T), mean, chance, REPETITIONS, over_tasks=True, same_runs=True, expanded=True
    )


def _chance(submission: Submission, what: str) -> np.random.Generator:
    """Of a submission's own, so that its interval does not depend on its neighbours."""
    return np.random.default_rng(int(digest([submission.digest, what])[:16], 16))


def _rank(row: Standing, rows: Sequence[Standing]) -> tuple[int, int] | None:
    """Places that the intervals leave open. References are measured against, not ranked."""
    if not _ranks(row):
        return None
    others = [other.aggregate for other in rows if _ranks(other) and other is not row and other.aggregate]
    assert row.aggregate
    better = sum(other.low > row.aggregate.high for other in others)
    worse = sum(other.high < row.aggregate.low for other in others)
    return 1 + better, 1 + len(others) - worse


def _ranks(row: Standing) -> bool:
    return row.family != "reference" and row.aggregate is not None and not np.isnan(row.aggregate.low)


def _curve(runs: Sequence[Ran], column: Column, board: BoardCard) -> Curve | None:
    """At the moments of the first seed that all came to; None where nothing was trained, or other skills."""
    card = catalogue.task(column.task)
    if column.skill and card.skill_goals.train != card.skill_goals.test:
        return None
    task = catalogue.task_name(column.task)
    by_seed = [_moments(ran, column, board) for ran in runs if ran.made.task == task]
    if not by_seed or min(map(len, by_seed)) < 2:
        return None
    first, last = max(map(min, by_seed)), min(map(max, by_seed))
    shared = np.array([clock for clock in by_seed[0] if first <= clock <= last], dtype=float)
    means = np.mean([np.interp(shared, list(moments), list(moments.values())) for moments in by_seed], axis=0)
    return Curve(column.name, shared, means)


def _moments(ran: Ran, column: Column, board: BoardCard) -> dict[int, float]:
    """Scores on validation tasks by training steps."""
    judged: dict[int, list[Evaluation]] = defaultdict(list)
    for e in ran.judged:
        if e.split == "validation":
            judged[e.clock].append(e)
    metric = column.metric or board.metric
    return {clock: float(scores(found, column, metric).mean()) for clock, found in judged.items()}


def _made(ran: Ran) -> Made:
    made = ran.made
    return Made(
        path=ran.path,
        task=made.task,
        seed=made.seed,
        steps=made.steps,
        versions={name: version for name, version in made.versions.items() if version},
        hardware=made.hardware,
        commit=made.commit or "",
        command=_command(ran),
    )


def _command(ran: Ran) -> str:
    """That makes the run again; settings that are not the tuned ones are in its run.json."""
    made = ran.made
    if made.adapter:
        return f"metairl judge {made.adapter} {made.task} --seed {made.seed}"
    regime = f" --regime {made.regime}" if made.regime else ""
    encoder = f" --encoder {made.encoder}" if made.encoder else ""
    return f"metairl train {made.method} {made.task}{regime}{encoder} --seed {made.seed} --steps {made.steps}"
