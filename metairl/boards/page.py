"""A static site of boards, made from their standings and nothing else.

    index.html        every board
    assets/           the style and the script
    BOARD/index.html  one table with all rows; figures/ and downloads/ beside it
    BOARD/rows/       a page a row: where its numbers come from, and its curves

Pages ask for nothing outside of the folder, and work from disk, in print and without scripts. Text that was
submitted is escaped wherever it stands; only https addresses become links. The same standings give the same
bytes.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from metairl import __version__
from metairl.boards import downloads, figures, wording
from metairl.boards.figures import Figure
from metairl.boards.replacing import replace
from metairl.boards.standings import Standing, Standings
from metairl.core.errors import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment

MANY = 12  # columns; more do not fit on paper
SITE = Path(__file__).parent / "site"
FILE_NAME = re.compile(r"[a-z0-9]+([-+._][a-z0-9]+)*")
LONGEST = 100  # of a file's name


def write(standings: list[Standings], folder: Path) -> None:
    """The site, in a folder that it replaces as a whole."""
    replace(folder, dict(files(standings)))


def files(standings: list[Standings]) -> Iterator[tuple[str, bytes]]:
    """Every file of the site by its path."""
    _require_file_names([each.board.id for each in standings], "board")
    pages = _environment()
    for asset in sorted((SITE / "assets").iterdir()):
        yield f"assets/{asset.name}", asset.read_bytes()
    yield "index.html", _page(pages, "index.html", root="", boards=standings)
    for each in standings:
        for path, content in _board(pages, each):
            yield f"{each.board.id}/{path}", content


def seeds(row: Standing) -> int | None:
    """The fewest of any column."""
    return min((cell.seeds for cell in row.cells.values() if cell), default=None)


def steps(row: Standing) -> int | None:
    """The largest budget of any run."""
    return max((run.steps for run in row.runs), default=None)


def leaders(standings: Standings) -> list[Standing]:
    return [row for row in standings.rows if row.rank and row.rank[0] == 1]


def _board(pages: "Environment", standings: Standings) -> Iterator[tuple[str, bytes]]:
    _require_file_names([row.slug for row in standings.rows], f"row of board '{standings.board.id}'")
    drawn = figures.of_board(standings)
    saved = downloads.of_board(standings)
    words = {"standings": standings, "figures": drawn, "downloads": saved}
    yield "index.html", _page(pages, "board.html", root="../", **words)
    for figure in drawn:
        yield from _both(f"figures/{figure.name}", figure)
    for download in saved:
        yield f"downloads/{download.file}", download.content
    for row in standings.rows:
        yield from _row(pages, standings, row)


def _row(pages: "Environment", standings: Standings, row: Standing) -> Iterator[tuple[str, bytes]]:
    curves = figures.curves([row])
    words = {"standings": standings, "row": row, "curves": curves}
    yield f"rows/{row.slug}.html", _page(pages, "row.html", root="../../", **words)
    if curves:
        yield from _both(f"rows/{row.slug}", curves)


def _both(path: str, figure: Figure) -> Iterator[tuple[str, bytes]]:
    yield f"{path}.light.svg", figure.light
    yield f"{path}.dark.svg", figure.dark


def _page(pages: "Environment", name: str, root: str, **words: object) -> bytes:
    return pages.get_template(name).render(root=root, **words).encode()


def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise UsageError(downloads.MISSING) from None
    pages = Environment(
        loader=FileSystemLoader(SITE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said = (wording.bounds, wording.count, wording.decimal, wording.link, wording.places, wording.several)
    keys = (wording.sort_key, wording.tint, wording.with_bounds)
    pages.filters |= {word.__name__: word for word in (*said, *keys, seeds, steps, leaders)}
    pages.globals |= {
        "version": __version__,
        "tiers": wording.TIERS,
        "few": wording.FEW_SEEDS,
        "many": MANY,
        "tints": wording.TINTS,
        "full": wording.FULL,
        "measures": wording.MEASURES,
    }
    return pages


def _require_file_names(names: list[str], what: str) -> None:
    """Names become files and addresses, so they are held to what is plain in both."""
    for name in names:
        if not FILE_NAME.fullmatch(name) or len(name) > LONGEST:
            raise UsageError(
                f"{what}: {name[:LONGEST]!r} cannot name a page; use a-z, 0-9, and - + . _ between"
            )
        if names.count(name) > 1:
            raise UsageError(f"{what}: two are named '{name}'")
