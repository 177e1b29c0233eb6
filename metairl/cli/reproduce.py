"""A paper's table beside ours, from committed records and your own runs; --run makes the missing ones."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro
from rich.console import Console as Screen
from rich.table import Table
from tyro.conf import Positional

from metairl.core.errors import RunsMissing, UsageError, nearest
from metairl.core.records import writing
from metairl.evaluation import tables
from metairl.tasks import catalogue
from metairl.tasks.cards import Column, TableCard

if TYPE_CHECKING:
    from metairl.experiments.request import Request
    from metairl.experiments.time_estimates import Estimate


@dataclass(frozen=True)
class Reproduce:
    table: Positional[str]  # see `metairl list tables`
    columns: tuple[str, ...] = ()  # only these
    run: tuple[str, ...] = ()  # methods whose missing cells are run first; "all" for every one
    runs: Path = Path("runs")  # where your own runs are, and new ones go
    jobs: int = 1  # runs at a time
    engine: Literal["local", "ray", "slurm"] = "local"  # who runs them; slurm prints a script and stops
    address: str | None = None  # of a Ray cluster, HOST:PORT; by default one of this machine's cores
    threads: int | None = None  # of torch in each run; by default the cores are shared out
    gpus: float = 0.0  # that each run asks Ray for; 0.25: four runs share one
    patience: float = 1800.0  # seconds that a run may write nothing in before it is ended and tried again
    at_most: int | None = None  # training steps that may be planned; more is refused before anything starts
    committed: bool = False  # fill it from committed records alone
    write: Path | None = None  # also to PATH.md, .csv, .tex, .svg and .png
    dry_run: bool = False  # print what would be run, its training steps and some idea of the time, and stop


def main(words: list[str]) -> int:
    args = tyro.cli(Reproduce, prog="metairl reproduce", description=__doc__, args=words)
    card = catalogue.table(args.table)
    columns = _columns(card, args.columns)
    roots = committed() if args.committed else [args.runs, *committed()]
    missing = 0
    if args.run or args.dry_run:
        missing = _run_missing(args, card, columns, roots)
        if args.dry_run or args.engine == "slurm":
            return 0
    filled = tables.fill(card, columns, roots)
    _show(filled)
    _say_own(filled, args.runs)
    if args.write:
        _write(filled, args.write)
    return RunsMissing.code if missing else 0


def committed() -> list[Path]:
    """Folders of accepted records that ship with the suite or stand in METAIRL_PATH."""
    return [
        root
        for shelf in catalogue.card_folders()
        for root in sorted((shelf / "results" / "records").glob("*"))
    ]


def _columns(card: TableCard, asked: tuple[str, ...]) -> list[Column]:
    known = {column.name: column for column in card.columns}
    for name in asked:
        if name not in known:
            raise UsageError(f"table '{card.id}' has no column '{name}'; {nearest(name, known)}")
    return [known[name] for name in asked] or card.columns


def _run_missing(args: Reproduce, card: TableCard, columns: list[Column], roots: list[Path]) -> int:
    """How many runs did not complete."""
    from metairl.experiments import missing_runs, time_estimates
    from metairl.experiments.fleet.jobs import jobs_of
    from metairl.experiments.fleet.making import Manner, make

    methods = sorted({row.method for row in card.rows if row.method})
    for name in args.run:
        if name not in ("all", *methods):
            raise UsageError(f"table '{card.id}' has no method '{name}'; {nearest(name, methods)}")
    only = () if "all" in args.run or not args.run else args.run
    requests = missing_runs.missing(missing_runs.wanted(card, columns, only), roots)
    total = sum(asked.steps for asked in requests)
    print(f"{len(requests)} runs to make, {total:,} training steps", file=sys.stderr)
    if args.at_most is not None and total > args.at_most:
        raise UsageError(f"{total:,} training steps are more than --at-most {args.at_most:,}")
    if not args.dry_run:
        manner = Manner(args.jobs, args.engine, args.address, args.threads, args.gpus, args.patience)
        return make(jobs_of(requests, args.runs), args.runs, manner)
    shelves = [time_estimates.recorded(shelf) for shelf in ([args.runs], committed())]
    _say_times({asked: time_estimates.estimate(asked, shelves) for asked in requests})
    return 0


def _say_times(times: "dict[Request, Estimate | None]") -> None:
    """Of every run, and of all of them one after another."""
    from metairl.experiments.time_estimates import duration

    for asked, time in times.items():
        words = time or "time unknown, nothing like it is recorded"
        print(f"{asked.method} {asked.task} seed {asked.seed}: {asked.steps:,} training steps, {words}")
    known = [time for time in times.values() if time]
    if known:
        some = duration(sum(time.seconds for time in known))
        least, most = (
            duration(sum(time.fastest for time in known)),
            duration(sum(time.slowest for time in known)),
        )
        unknown = f", and {len(times) - len(known)} of unknown time" * (len(known) < len(times))
        print(f"together some {some}, {least} to {most}, one after another{unknown}")
        print("a rough estimate, from recorded times as they are: not scaled to this machine")


def _show(table: tables.Filled) -> None:
    marks = tables.footnote_marks(table.card)
    grid = Table(
        title=f"{table.card.title}\n{table.card.paper}", box=None, pad_edge=False, title_justify="left"
    )
    grid.add_column("")
    for cell in table.cells[0]:
        grid.add_column(cell.column.name, justify="right")
    for cells in table.cells:
        texts = [f"{tables.ours_text(cell)}\n[dim]{tables.published_text(cell)}[/dim]" for cell in cells]
        grid.add_row(tables.row_title(cells[0].row, marks).replace("[", r"\["), *texts)
    screen = Screen(width=None if sys.stdout.isatty() else max(100, 18 * len(table.cells[0]) + 30))
    screen.print(grid)
    screen.print(
        "ours ± standard error; below it (published, difference in standard errors); blank: not run",
        style="dim",
    )
    for key, mark in marks.items():
        screen.print(f"{mark} {table.card.footnotes[key]}".replace("[", r"\["), style="dim")


def _say_own(table: tables.Filled, runs: Path) -> None:
    """Which cells are one's own, and what they cost: no budget is checked against the paper's."""
    for cells in table.cells:
        for cell in cells:
            if cell.ours and cell.ours.root == runs and cell.ours.steps:
                seeds = f"{cell.ours.seeds} seed{'s' * (cell.ours.seeds > 1)}"
                print(
                    f"from {runs}: {cell.row.name} at {cell.column.name}, {seeds}, {cell.ours.steps:,} steps"
                )


def _write(table: tables.Filled, path: Path) -> None:
    texts = {".csv": tables.as_csv, ".md": tables.as_markdown, ".tex": tables.as_latex}
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            path.with_name(path.name + suffix).write_text(text(table), encoding="utf-8")
        for suffix in (".svg", ".png"):
            tables.draw(table, path.with_name(path.name + suffix))
