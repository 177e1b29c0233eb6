"""What a submission's runs are worth in a board's columns.

score of a run     its mean over the column's test tasks, in the column's metric
claim              the mean over seeds
aggregate          interquartile mean of all runs' scores, where every column has one
"""

import numpy as np

from metairl.boards.submission import Claim, Ran
from metairl.core.arrays import Floats
from metairl.evaluation.statistics import iqm
from metairl.evaluation.tables import scores
from metairl.tasks import catalogue
from metairl.tasks.cards import BoardCard, Column


def of_tasks(runs: list[Ran], column: Column, board: BoardCard) -> Floats | None:
    """Scores of a column, [seeds, tasks]; None where no run is of its task."""
    task = catalogue.task_name(column.task)
    own = sorted((ran for ran in runs if ran.made.task == task), key=lambda ran: ran.made.seed)
    metric = column.metric or board.metric
    return np.stack([scores(ran.tested, column, metric) for ran in own]) if own else None


def of_seeds(runs: list[Ran], board: BoardCard) -> dict[str, Floats]:
    """Scores of the runs, [seeds], by the columns that there are runs of."""
    found = {column.name: of_tasks(runs, column, board) for column in board.columns}
    return {name: values.mean(1) for name, values in found.items() if values is not None}


def claimed(runs: list[Ran], board: BoardCard) -> dict[str, Claim]:
    """What a sheet may claim."""
    found = {column.name: of_tasks(runs, column, board) for column in board.columns}
    return {
        name: Claim(column=name, score=float(values.mean()), seeds=values.shape[0], tasks=values.shape[1])
        for name, values in found.items()
        if values is not None
    }


def aggregate(runs: list[Ran], board: BoardCard) -> float | None:
    by_column = of_seeds(runs, board)
    if len(by_column) < len(board.columns):
        return None
    return float(iqm(np.concatenate(list(by_column.values()))))
