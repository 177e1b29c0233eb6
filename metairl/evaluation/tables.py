"""Tables are a pure function of cards and records: the published cell, ours, and how far apart they are.

    ours           mean of the metric over seeds and held-out tasks, ± its standard error
    n              judged trials, seeds × tasks
    difference     (ours − published) / √(SE_ours² + SE_published²)

A cell is filled from the first folder that has runs of it, so one's own runs come before committed ones,
and from one configuration alone: that with most seeds, then the largest budget.

A paper that prints no error averaged `judged` tasks once; its standard error is taken to be our spread
between tasks over √judged. A cell that was not run is blank.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from metairl.core.arrays import Floats
from metairl.core.errors import CardError, UsageError, nearest
from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation.adaptation_curves import Curve, curve
from metairl.evaluation.statistics import mean_over_seeds
from metairl.tasks import catalogue
from metairl.tasks.cards import Column, Row, TableCard, digest

CSV_COLUMNS = ("row", "column", "ours", "standard_error", "n", "published", "source", "records")


def _successes(e: Evaluation) -> list[int]:
    if e.success is None:
        raise UsageError("this metric needs a task whose card says that it reports success")
    return e.success


def _successful_lengths(e: Evaluation) -> list[float]:
    """NaN where the goal was not reached."""
    found = zip(e.all_lengths, _successes(e), strict=True)
    return [length if reached else np.nan for length, reached in found]


def _measure(name: str) -> Callable[[Evaluation], list[float]]:
    def of(e: Evaluation) -> list[float]:
        return (e.measures or {}).get(name, [np.nan] * len(e.returns))

    return of


SOMETIMES = ("successful-length", "steps-to-threshold", "correlation", "epic", "starc")
MEASURES = ("value-difference", "in-wind", "agreement", "correlation", "epic", "starc")
METRICS: dict[str, Callable[[Evaluation], list[float]]] = {
    "return": lambda e: e.returns,
    "score": lambda e: e.returns,  # normalised below, by the card
    "length": lambda e: list(e.all_lengths),
    "successful-length": _successful_lengths,
    "success": lambda e: [100.0 * reached for reached in _successes(e)],  # in per cent
} | {name: _measure(name) for name in MEASURES}


@dataclass(frozen=True)
class Ours:
    mean: float
    standard_error: float
    spread: float  # standard deviation between tasks of one trial's return
    trials: int
    seeds: int
    steps: int  # training budget of each run
    root: Path
    records: tuple[str, ...]  # run folders, below root


@dataclass(frozen=True)
class Cell:
    row: Row
    column: Column
    ours: Ours | None

    @property
    def published(self) -> float | None:
        return self.row.published.cells.get(self.column.name) if self.row.published else None

    @property
    def difference(self) -> float | None:
        """In standard errors; None where either side is missing."""
        if self.ours is None or self.published is None or self.column.judged is None:
            return None
        theirs = self.ours.spread / np.sqrt(self.column.judged)
        together = float(np.hypot(self.ours.standard_error, theirs))
        return (self.ours.mean - self.published) / together if together > 0 else None


@dataclass(frozen=True)
class Filled:
    card: TableCard
    cells: list[list[Cell]]  # row by row


def fill(card: TableCard, columns: list[Column], roots: list[Path]) -> Filled:
    """Every cell of a table from the completed runs below some folders, the first that has any."""
    runs = [_completed(root) for root in roots]
    return Filled(
        card,
        [
            [_cell(card, row, column, runs, column.metric or card.metric) for column in columns]
            for row in card.rows
        ],
    )


def as_csv(table: Filled) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for cell in _flat(table):
        ours, printed = cell.ours, cell.row.published
        writer.writerow([
            cell.row.name,
            cell.column.name,
            f"{ours.mean:.4f}" if ours else "",
            f"{ours.standard_error:.4f}" if ours else "",
            ours.trials if ours else "",
            "" if cell.published is None else cell.published,
            printed.source if printed and cell.published is not None else "",
            " ".join(ours.records) if ours else "",
        ])  # fmt: skip
    return text.getvalue()


def as_markdown(table: Filled) -> str:
    card = table.card
    names = [cell.column.name for cell in table.cells[0]]
    lines = [
        f"# {card.title}",
        "",
        card.paper,
        "",
        "Each cell: ours ± standard error, then the published figure and the difference in standard errors.",
        f"Protocol: {card.protocol}. Budget: {card.budget}.",
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    marks = footnote_marks(card)
    for cells in table.cells:
        texts = [
            f"{ours_text(c)}<br>{published_text(c)}" if ours_text(c) else published_text(c) for c in cells
        ]
        lines.append(f"| {row_title(cells[0].row, marks)} | " + " | ".join(texts) + " |")
    lines += ["", *(f"{mark} {card.footnotes[key]}  " for key, mark in marks.items()), ""]
    return "\n".join(lines)


def as_latex(table: Filled) -> str:
    names = [cell.column.name for cell in table.cells[0]]
    head = r"\begin{tabular}{l" + "r" * len(names) + "}"
    lines = [f"% {table.card.paper}", head, r"\toprule", " & " + " & ".join(names) + r" \\", r"\midrule"]
    for cells in table.cells:
        texts = [f"${c.ours.mean:.1f} \\pm {c.ours.standard_error:.1f}$" if c.ours else "" for c in cells]
        if any(texts):
            lines.append(f"{_latex(cells[0].row.name)} & " + " & ".join(texts) + r" \\")
        if cells[0].row.published:
            printed = ["" if c.published is None else f"{c.published}" for c in cells]
            lines.append("\\quad published & " + " & ".join(printed) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def draw(table: Filled, path: Path) -> None:
    """One panel a column: published hollow, ours filled with its 95 % interval."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = table.card.id  # the same table is the same file
    from matplotlib import pyplot as plt

    columns = [cell.column for cell in table.cells[0]]
    wide = min(3, len(columns))
    tall = -(-len(columns) // wide)
    figure, axes = plt.subplots(
        tall, wide, figsize=(4.2 * wide, 0.28 * len(table.cells) * tall + 1), squeeze=False
    )
    for index, axis in enumerate(axes.flat):
        axis.set_visible(index < len(columns))
        if index < len(columns):
            _panel(axis, [cells[index] for cells in table.cells], named=index % wide == 0)
    figure.suptitle(table.card.title, fontsize=10)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
    plt.close(figure)


def ours_text(cell: Cell) -> str:
    return f"{cell.ours.mean:.2f} ± {cell.ours.standard_error:.2f}" if cell.ours else ""


def published_text(cell: Cell) -> str:
    if cell.published is None:
        return ""
    return f"({cell.published}" + (f", {cell.difference:+.1f})" if cell.difference is not None else ")")


def row_title(row: Row, marks: dict[str, str]) -> str:
    notes = [*row.notes, *(row.published.notes if row.published else ())]
    return row.name + "".join(f" {marks[note]}" for note in notes)


def footnote_marks(card: TableCard) -> dict[str, str]:
    return {key: f"[{number}]" for number, key in enumerate(card.footnotes, start=1)}


def _flat(table: Filled) -> Iterator[Cell]:
    for cells in table.cells:
        yield from cells


@dataclass(frozen=True)
class Run:
    """A finished run where it was found."""

    root: Path
    path: Path
    made: dict[str, Any]  # its run.json

    @property
    def name(self) -> str:
        """What a table cites it by."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def configuration(self) -> str:
        return digest([self.made["steps"], self.made["config"], self.made["encoder"]])

    def fits(self, row: Row, task: str) -> bool:
        asked, made = (row.method, row.regime, task), self.made
        same = (made["method"], made.get("regime"), made["task"]) == asked
        named = row.flat_settings
        other = made.get("variant", {}).keys() - named.keys()  # it was made for a row that names these
        return same and row.encoder in (None, made["encoder"]) and not other and self.has(named)

    def has(self, settings: dict[str, Any]) -> bool:
        """Whether it was made with these settings, named in full."""
        for name, value in settings.items():
            found: Any = self.made["config"]
            for key in name.split("."):
                found = found.get(key) if isinstance(found, dict) else None
            if found != value:
                return False
        return True


def _completed(root: Path) -> list[Run]:
    runs = [Run(root, file.parent, RunFolder(file.parent).description()) for file in root.glob("**/run.json")]
    return sorted((run for run in runs if _counts(run.made)), key=lambda run: run.name)


def _counts(made: dict[str, Any]) -> bool:
    """Finished, and judged on the test tasks that its card draws today."""
    if made.get("judged", "test") != "test":  # a candidate of a search
        return False
    try:
        return bool(
            made["status"] == "completed" and made["card_sha256"] == catalogue.task(made["task"]).sha256
        )
    except UsageError:  # its task, or a setting of it, is no longer there
        return False


def _cell(card: TableCard, row: Row, column: Column, shelves: list[list[Run]], metric: str) -> Cell:
    """From runs on the column's own task, or from those on the task it was trained on.

    A run belongs to the row that names most of its settings: one with `recipe.best = 0.1` is none of the row
    beside it that names no setting.
    """
    tasks = [column.task, column.trained_on or column.task] if row.fills(column) else []
    for task, runs in product(map(catalogue.task_name, tasks), shelves):
        closer = [other for other in card.rows if len(other.flat_settings) > len(row.flat_settings)]
        if matching := [
            run for run in runs if run.fits(row, task) and not any(run.fits(other, task) for other in closer)
        ]:
            scratch = _scratch(task, shelves) if metric == "forward-transfer" else []
            return Cell(row, column, _pooled(_alike(matching), column, metric, scratch))
    return Cell(row, column, None)


def _scratch(task: str, shelves: list[list[Run]]) -> list[Run]:
    """Runs that forward transfer is measured against."""
    scratch = Row(name="", method="sac", regime="scratch")
    found = [run for runs in shelves for run in runs if run.fits(scratch, task)]
    return _alike(found) if found else []


def _alike(runs: list[Run]) -> list[Run]:
    """Seeds of one configuration: the one with most seeds, then the larger budget. None are mixed."""
    groups: dict[str, dict[int, Run]] = defaultdict(dict)
    for run in runs:
        groups[run.configuration].setdefault(run.made["seed"], run)
    best = max(groups.values(), key=lambda seeds: (len(seeds), next(iter(seeds.values())).made["steps"]))
    return [best[seed] for seed in sorted(best)]


def _pooled(runs: list[Run], column: Column, metric: str, scratch: list[Run]) -> Ours | None:
    if metric == "forward-transfer" and not scratch:
        return None  # nothing to compare with
    values = np.stack([_values(run, column, metric, scratch) for run in runs])  # [seeds, tasks]
    some = metric in SOMETIMES  # the others never got there, or do not vary
    counts = ~np.isnan(values) if some else np.ones(values.shape, dtype=bool)
    if not counts.any(1).all():
        return None  # a seed that never reached the goal has no length to speak of
    mean, error = mean_over_seeds(values, counts)
    spread = float(values.std(axis=1, ddof=1, where=counts).mean())
    first, names = runs[0], tuple(run.name for run in runs)
    return Ours(mean, error, spread, int(counts.sum()), len(runs), first.made["steps"], first.root, names)


def _values(run: Run, column: Column, metric: str, scratch: list[Run]) -> Floats:
    """The metric on every test task of a column: of one episode, or added up over the trial."""
    if metric not in METRICS:
        return _transferred(run, column, metric, scratch)
    elsewhere = run.made["task"] != catalogue.task_name(column.task)
    split = f"{catalogue.task(column.task).id}:test" if elsewhere else "test"
    judged = [r for r in RunFolder(run.path).records() if isinstance(r, Evaluation) and r.split == split]
    return scores(judged, column, metric)


def scores(judged: list[Evaluation], column: Column, metric: str) -> Floats:
    """The metric on every task of a column, from all episodes that one split was judged on."""
    counted = [METRICS[metric](r) for r in judged if column.episode in (None, r.k)]
    values: Floats = np.array(counted, dtype=float).sum(0)
    if metric == "score":
        values = _normalised(values, column, len(counted))
    return values[_rows(column)]


def _normalised(values: Floats, column: Column, episodes: int) -> Floats:
    """0 random, 100 the card's expert."""
    card = catalogue.task(column.task)
    scores = [card.normalised(float(value), episodes) for value in values]
    if None in scores:
        raise CardError(f"column '{column.name}': '{card.id}' has no [score] to normalise by")
    return 100 * np.array(scores, dtype=float)


def _rows(column: Column) -> slice:
    """Which of the test tasks: all, or every one of a skill, since skills take turns."""
    if column.skill is None:
        return slice(None)
    skills = catalogue.task(column.task).skill_goals.test
    if column.skill not in skills:
        raise CardError(
            f"column '{column.name}': unknown skill '{column.skill}'; {nearest(column.skill, skills)}"
        )
    return slice(skills.index(column.skill), None, len(skills))


def _transferred(run: Run, column: Column, metric: str, scratch: list[Run]) -> Floats:
    """What a curve of adaptation is worth, on every task that was adapted to."""
    learned = _curve(run, column)
    match metric:
        case "area":
            return learned.area()
        case "jump-start":
            return learned.jump_start()
        case "steps-to-threshold":
            return learned.steps_to(column.threshold or 0.0)
        case _:
            alone = np.mean([_curve(other, column).area() for other in scratch], axis=0)
            return learned.forward_transfer(alone, column.top or 0.0)


def _curve(run: Run, column: Column) -> Curve:
    return curve(list(RunFolder(run.path).records()), column.episode or 1)


def _panel(axis: Any, cells: list[Cell], named: bool) -> None:
    for y, cell in enumerate(reversed(cells)):
        if cell.published is not None:
            axis.plot(cell.published, y, "o", mfc="none", mec="0.4", ms=6)
        if cell.ours:
            axis.errorbar(
                cell.ours.mean, y, xerr=1.96 * cell.ours.standard_error, fmt="o", color="C0", ms=3.5
            )
    axis.set_yticks(range(len(cells)), [c.row.name for c in reversed(cells)] if named else [""] * len(cells))
    axis.set_title(cells[0].column.name, fontsize=9)
    axis.tick_params(labelsize=7)
    axis.grid(axis="x", alpha=0.3)


def _latex(text: str) -> str:
    return text.replace("ε", r"$\varepsilon$").replace("²", "$^2$").replace("_", r"\_")
