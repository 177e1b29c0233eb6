"""Make a submission to a board from finished runs: a folder that anybody can check."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tyro
from tyro.conf import Positional

from metairl.boards.check import check
from metairl.boards.pack import About, pack
from metairl.boards.submission import Family
from metairl.cli.board import complain
from metairl.core.errors import UsageError


@dataclass(frozen=True)
class Submit:
    runs: Positional[tuple[Path, ...]]  # run folders of one method: every column's task, every seed
    board: str  # see `metairl list boards`
    out: Path  # the folder to make
    authors: tuple[str, ...]  # who made it
    description: str  # what the method is, in a few sentences
    licence: str = "CC-BY-4.0"  # of the numbers
    name: str | None = None  # the row's name; by default the method's title
    slug: str | None = None  # the row's address, lower case; by default the method's name
    family: Family | None = None  # by default the method's
    paper: str | None = None  # where it was published
    url: str | None = None  # https:// only
    repository: str | None = None  # of its code, https:// only
    commit: str | None = None  # of its code, 40 hexadecimal digits
    checkpoints: bool = False  # pack the networks too, so that the row can be run again
    notes: str = ""


def main(words: list[str]) -> int:
    args = tyro.cli(Submit, prog="metairl submit", description=__doc__, args=words)
    if (args.repository is None) != (args.commit is None):
        raise UsageError("--repository and --commit go together")
    made = pack(args.runs, args.board, _about(args), args.out, args.checkpoints)
    checked = check(args.out)
    if not checked.sound:
        return complain(checked, json=False)
    print(f"{args.out}: {len(made.runs)} runs, {sum(made.sizes.values()):,} bytes, digest {made.digest[:12]}")
    print(f"sound; look at it with: metairl board build --also {args.out} --out site")
    return 0


def _about(args: Submit) -> About:
    return About(
        authors=args.authors,
        licence=args.licence,
        description=args.description,
        date=datetime.now(UTC).date(),
        name=args.name,
        slug=args.slug,
        family=args.family,
        paper=args.paper,
        url=args.url,
        repository=args.repository,
        commit=args.commit,
        notes=args.notes,
    )
