"""A board's figures as SVG: aggregates with their intervals, performance profiles, curves of learning.

Every figure is drawn once, in ink for light pages; the same lines in lighter ink are for dark ones. Words are
text, in fonts of whoever reads them. The same standings give the same bytes.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from metairl.boards.standings import Curve, Standing, Standings
from metairl.boards.wording import FULL, decimal, label, several, with_bounds
from metairl.core.arrays import Floats

INK, FAINT = ("#20262d", "#e7eaee"), ("#c9ced5", "#49525d")  # on light pages, on dark ones
LINES = (
    ("#0b64a8", "#6cb6f5"),
    ("#b4480c", "#f59a5f"),
    ("#00765a", "#4fc9a4"),
    ("#9a3f80", "#e39acb"),
    ("#7a6400", "#d9bf4a"),
    ("#4b4f9e", "#a5a9f2"),
    ("#a32638", "#f08a97"),
    ("#57606a", "#b4bcc6"),
)
DASHES = ("-", "--", "-.", ":")
MOST_BARS, MOST_LINES, MOST_PANELS = 30, len(LINES), 12
LONGEST_NAME = 30
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 9,
    "text.color": INK[0],
    "axes.labelcolor": INK[0],
    "axes.titlesize": 9,
    "axes.edgecolor": FAINT[0],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT[0],
    "ytick.color": FAINT[0],
    "xtick.labelcolor": INK[0],
    "ytick.labelcolor": INK[0],
    "grid.color": FAINT[0],
    "grid.linewidth": 0.5,
}


@dataclass(frozen=True)
class Figure:
    name: str  # of its files
    title: str
    words: str  # what it says, for who does not see it
    size: tuple[int, int]  # in pixels, as drawn
    light: bytes
    dark: bytes


def of_board(standings: Standings) -> list[Figure]:
    found = [aggregates(standings), profiles(standings), curves(standings.rows)]
    return [figure for figure in found if figure]


def aggregates(standings: Standings) -> Figure | None:
    full = _full(standings)
    if not full:
        return None
    rows, fewest = full[:MOST_BARS], standings.board.seeds

    def draw(sheet: Any) -> None:
        axis = sheet.add_axes((0.4, 0.5 / _tall(rows), 0.57, 1 - 0.7 / _tall(rows)))
        for y, row in enumerate(rows):
            _bar(axis, y, row)
        axis.set_yticks(range(len(rows)), [_name(row) for row in rows])
        axis.set(ylim=(len(rows) - 0.5, -0.5), xlabel="interquartile mean, 95% interval")
        axis.locator_params(axis="x", nbins=6)
        axis.tick_params(left=False)
        axis.grid(axis="x")

    said = [f"{row.name} {with_bounds(row.aggregate, fewest)}" for row in rows if row.aggregate]
    title = "Aggregate of all columns" + _first(len(rows), len(full), "row")
    return _figure("aggregates", title, _listed("Interquartile mean", said), (6.0, _tall(rows)), draw)


def profiles(standings: Standings) -> Figure | None:
    """Which share of a row's scores is at least so high; every column counts the same."""
    full = _full(standings)
    if not full:
        return None
    rows = full[:MOST_LINES]
    heights = _heights(rows)

    def draw(sheet: Any) -> None:
        axis = sheet.add_axes((0.1, 0.14, 0.48, 0.82))
        for look, row in enumerate(rows):
            axis.plot(heights, _shares(row, heights), label=_name(row), **_line(look))
        axis.set(xlabel="score", ylabel="share of scores at least so high", ylim=(-0.02, 1.02))
        axis.grid()
        axis.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False)

    half = [f"{row.name} {float(_shares(row, np.array([FULL / 2]))[0]):.0%}" for row in rows]
    words = _listed(f"Share of scores that are at least {FULL / 2:.0f}", half)
    title = "Performance profiles" + _first(len(rows), len(full), "row")
    return _figure("profiles", title, words, (6.0, 3.4), draw)


def curves(rows: list[Standing]) -> Figure | None:
    """Scores while learning, a panel a column."""
    plotted = [row for row in rows if row.curves][:MOST_LINES]
    if not plotted:
        return None
    columns = list(dict.fromkeys(curve.column for row in plotted for curve in row.curves))
    panels = columns[:MOST_PANELS]
    wide = min(3, len(panels))
    tall = -(-len(panels) // wide)
    foot = 0.65 + 0.2 * -(-len(plotted) // 3)  # inches below the panels: numbers, words, names
    size = 8.0, 1.75 * tall + foot

    def draw(sheet: Any) -> None:
        sheet.subplots_adjust(0.07, foot / size[1], 0.98, 1 - 0.25 / size[1], wspace=0.22, hspace=0.55)
        for index, column in enumerate(panels):
            _panel(sheet.add_subplot(tall, wide, index + 1), column, plotted)
        looks = [sheet.axes[0].plot([], [], label=_name(row), **_line(i))[0] for i, row in enumerate(plotted)]
        sheet.legend(handles=looks, loc="lower center", ncols=min(3, len(plotted)), frameon=False)
        sheet.text(0.5, (foot - 0.45) / size[1], "training steps", ha="center", fontsize=8)

    last = [f"{row.name} {decimal(_last(row.curves))}" for row in plotted]
    words = _listed("Last validation score of every curve, averaged over a row's columns", last)
    title = "Validation score while learning" + _first(len(panels), len(columns), "column")
    return _figure("curves", title, words, size, draw)


def _full(standings: Standings) -> list[Standing]:
    return [row for row in standings.rows if row.aggregate]


def _figure(
    name: str, title: str, words: str, size: tuple[float, float], draw: Callable[[Any], None]
) -> Figure:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Sheet

    file = io.StringIO()
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's fonts may have it
        sheet = Sheet(figsize=size)
        draw(sheet)
        sheet.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Title": title})
    light = file.getvalue()
    pixels = round(96 * size[0]), round(96 * size[1])
    return Figure(name, title, words, pixels, light.encode(), _in_dark(light).encode())


def _in_dark(svg: str) -> str:
    for light, dark in (INK, FAINT, *LINES):
        svg = svg.replace(light, dark)
    return svg


def _bar(axis: Any, y: int, row: Standing) -> None:
    assert row.aggregate
    axis.plot([row.aggregate.low, row.aggregate.high], [y, y], color=LINES[0][0], linewidth=2, alpha=0.6)
    axis.plot([row.aggregate.value], [y], "o", color=LINES[0][0], markersize=5)


def _panel(axis: Any, column: str, rows: list[Standing]) -> None:
    from matplotlib.ticker import EngFormatter

    for look, row in enumerate(rows):
        for curve in row.curves:
            if curve.column == column:
                axis.plot(curve.steps, curve.mean, **_line(look))
    axis.set_title(label(column, LONGEST_NAME), loc="left")
    axis.tick_params(labelsize=8)
    axis.locator_params(nbins=4)
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.grid()


def _line(look: int) -> dict[str, Any]:
    return {"color": LINES[look][0], "linestyle": DASHES[look % len(DASHES)], "linewidth": 1.6}


def _heights(rows: list[Standing]) -> Floats:
    """From nothing to full, and as far beyond as any score lies."""
    scores = np.concatenate([seeds for row in rows for seeds in row.scores.values()])
    known = scores[np.isfinite(scores)]
    return np.linspace(min(0.0, known.min(initial=0.0)), max(FULL, known.max(initial=FULL)), 101)


def _shares(row: Standing, heights: Floats) -> Floats:
    by_column = [(seeds[:, None] >= heights).mean(0) for seeds in row.scores.values() if seeds.size]
    shares: Floats = np.mean(by_column, axis=0)
    return shares


def _last(curves: list[Curve]) -> float:
    return float(np.mean([curve.mean[-1] for curve in curves if curve.mean.size] or [np.nan]))


def _tall(rows: list[Standing]) -> float:
    return 0.24 * len(rows) + 0.8


def _name(row: Standing) -> str:
    return label(row.name, LONGEST_NAME)


def _first(plotted: int, number: int, what: str) -> str:
    return f", first {plotted} of {several(number, what)}" if plotted < number else ""


def _listed(what: str, said: list[str]) -> str:
    return f"{what}: {'; '.join(said)}."
