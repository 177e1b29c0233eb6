"""What runs are worth on tasks that they were not trained on: a matrix, and the views of it. No torch.

    row       runs of one configuration, a seed each: what was trained, and on what
    column    the row's own held-out tasks, another card's, or a sample of those that it was trained on
    cell      the return of whole trials, and the curve of adaptation: the return of episode k

Means and standard errors are over seeds and tasks, as in every table. A cell that cannot be judged is blank.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from metairl.core.arrays import Floats
from metairl.core.records import writing
from metairl.evaluation.statistics import mean_over_seeds
from metairl.tasks import catalogue

OWN: Final = "own held-out tasks"
TRAINING: Final = "own training tasks"
Relation = Literal[
    "own held-out tasks", "own training tasks", "varied parameters", "changed dynamics", "new tasks"
]
FIELDS = ("method", "trained_on", "steps", "seeds", "column", "judged_on", "relation", "tasks", "episode")
NUMBERS = ("return", "standard_error", "score", "success")
GREETING = """\
Trained on what a row says, judged on what a column says: mean return of whole trials ± standard error, below
it the score (0 random, 1 the card's expert) where the card has one, and how the column's tasks differ from
those trained on. Held-out tasks are those of the {split} split; own training tasks say what is kept of them.
"""


@dataclass(frozen=True)
class Cell:
    task: str  # full name of the card judged on
    relation: Relation
    returns: Floats  # [seeds, K, tasks]
    success: Floats | None  # the same, 0 or 1; None where the world has no notion of it

    @property
    def episodes(self) -> int:
        return int(self.returns.shape[1])

    @property
    def tasks(self) -> int:
        return int(self.returns.shape[2])

    def whole(self) -> tuple[float, float]:
        """Mean and standard error of the return of a trial."""
        return mean_over_seeds(self.returns.sum(1))

    def at(self, k: int) -> tuple[float, float]:
        """The same of episode k alone, from 1."""
        return mean_over_seeds(self.returns[:, k - 1])

    def score(self, total: float, episodes: int) -> float | None:
        return catalogue.task(self.task).normalised(total, episodes)


@dataclass(frozen=True)
class Row:
    method: str  # with its encoder where that is not its own
    trained_on: str
    steps: int  # of training, the fewest of its runs
    seeds: tuple[int, ...]
    cells: dict[str, Cell | None]  # by column

    @property
    def name(self) -> str:
        return f"{self.method} on {self.trained_on}"


@dataclass(frozen=True)
class Matrix:
    split: str  # that held-out tasks are of
    columns: list[str]
    rows: list[Row]

    def filled(self) -> Iterator[tuple[Row, str, Cell]]:
        for row in self.rows:
            for column in self.columns:
                if (cell := row.cells[column]) is not None:
                    yield row, column, cell


def lines(matrix: Matrix) -> Iterator[dict[str, Any]]:
    """One a cell for whole trials, episode None, and one for each of its episodes."""
    for row, column, cell in matrix.filled():
        about = (row.method, row.trained_on, row.steps, list(row.seeds), column, cell.task, cell.relation)
        for k in (None, *range(1, cell.episodes + 1)):
            mean, error = cell.at(k) if k else cell.whole()
            worth = cell.score(mean, 1 if k else cell.episodes)
            values = (*about, cell.tasks, k, mean, error, worth, _successes(cell, k))
            yield dict(zip(FIELDS + NUMBERS, values, strict=True))


def _successes(cell: Cell, k: int | None) -> float | None:
    """Share of episodes k that succeed; of a trial none is said."""
    return None if cell.success is None or k is None else float(cell.success[:, k - 1].mean())


def as_csv(matrix: Matrix) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS + NUMBERS)
    for line in lines(matrix):
        fields = line | {"seeds": " ".join(map(str, line["seeds"]))}
        writer.writerow([f"{value:.4f}" if isinstance(value, float) else value for value in fields.values()])
    return text.getvalue()


def as_markdown(matrix: Matrix) -> str:
    wide = max((cell.episodes for _, _, cell in matrix.filled()), default=0)
    episodes = [str(k) for k in range(1, wide + 1)]
    return "\n".join([
        "# Transfer",
        "",
        GREETING.format(split=matrix.split),
        _header(["", "steps", "seeds", *matrix.columns]),
        *(_line(_shown(matrix, row)) for row in matrix.rows),
        "",
        "## By episode",
        "",
        "Return of episode k of the trial ± standard error, and the share that succeeds where that is known.",
        "",
        _header(["", "judged on", "tasks", *episodes]),
        *(
            _line([row.name, column, str(cell.tasks), *_curve(cell, wide)])
            for row, column, cell in matrix.filled()
        ),
        "",
    ])  # fmt: skip


def whole_text(cell: Cell) -> list[str]:
    """What the matrix says in a cell, line by line."""
    mean, error = cell.whole()
    worth = cell.score(mean, cell.episodes)
    texts = [f"{mean:.2f} ± {error:.2f}"]
    if worth is not None:
        texts.append(f"score {worth:.3f}")
    return texts if cell.relation in (OWN, TRAINING) else [*texts, cell.relation]


def draw(matrix: Matrix, path: Path) -> None:
    """A panel a column, a line a row: return over the episode index, with 95 % intervals."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "transfer"  # the same matrix is the same file
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    wide = len(matrix.columns)
    figure, axes = plt.subplots(1, wide, figsize=(3.4 * wide, 3.2 + 0.2 * len(matrix.rows)), squeeze=False)
    for axis, column in zip(axes.flat, matrix.columns, strict=True):
        _panel(axis, matrix, column)
    axes[0, 0].set_ylabel("return", fontsize=8)
    handles = [
        Line2D([], [], color=f"C{number}", marker="o", ms=3, label=row.name)
        for number, row in enumerate(matrix.rows)
    ]
    figure.legend(handles=handles, loc="lower center", fontsize=7, frameon=False)
    figure.tight_layout(rect=(0, 0.05 + 0.05 * len(matrix.rows), 1, 1))
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
    plt.close(figure)


def write(matrix: Matrix, path: Path) -> None:
    """PATH.md, .csv, .svg and .png."""
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix, text in ((".md", as_markdown(matrix)), (".csv", as_csv(matrix))):
            path.with_name(path.name + suffix).write_text(text, encoding="utf-8")
        for suffix in (".svg", ".png"):
            draw(matrix, path.with_name(path.name + suffix))


def _panel(axis: Any, matrix: Matrix, column: str) -> None:
    for number, row in enumerate(matrix.rows):
        if cell := row.cells[column]:
            k = range(1, cell.episodes + 1)
            means, errors = zip(*map(cell.at, k), strict=True)
            axis.errorbar(k, means, yerr=1.96 * np.array(errors), fmt="o-", ms=3, color=f"C{number}")
            axis.set_xticks(k)
    axis.set_title(column, fontsize=8)
    axis.set_xlabel("episode", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)


def _shown(matrix: Matrix, row: Row) -> list[str]:
    cells = [row.cells[column] for column in matrix.columns]
    texts = ["<br>".join(whole_text(cell)) if cell else "" for cell in cells]
    return [row.name, f"{row.steps:,}", str(len(row.seeds)), *texts]


def _curve(cell: Cell, wide: int) -> list[str]:
    found = []
    for k in range(1, cell.episodes + 1):
        mean, error = cell.at(k)
        reached = _successes(cell, k)
        found.append(f"{mean:.2f} ± {error:.2f}" + ("" if reached is None else f"<br>{100 * reached:.0f} %"))
    return found + [""] * (wide - cell.episodes)


def _header(names: list[str]) -> str:
    return _line(names) + "\n" + "|---" * len(names) + "|"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
