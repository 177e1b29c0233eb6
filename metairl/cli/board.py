"""Leaderboards: check a submission, run it again, take it on, build the page."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tyro.conf import Positional, subcommand

from metairl.boards import ledger
from metairl.boards.bundle import Bundle
from metairl.boards.check import Checked, check
from metairl.boards.pack import find_board
from metairl.boards.standings import of_accepted
from metairl.boards.submission import Sheet, read
from metairl.cli.show import print_json
from metairl.core.errors import Refused, UsageError
from metairl.tasks import catalogue

LEDGER = Path("results/accepted.jsonl")


@dataclass(frozen=True)
class Check:
    """Look at every rule; runs nothing of the submission."""

    path: Positional[Path]  # a submission's folder or zip
    torn: bool = False  # leave out last lines that were not finished
    json: bool = False  # print one object


@dataclass(frozen=True)
class Rerun:
    """Run a submission's networks in fresh episodes, and test its claims by what is seen."""

    path: Positional[Path]  # a submission's folder or zip, packed with --checkpoints
    nonce: str  # any word that was not known when it was handed in
    episodes: int = 100  # fresh trials of every column
    agent: str | None = None  # MODULE:FACTORY, for rows from outside
    json: bool = False  # print one object
    record: Path | None = None  # a ledger to write the result into


@dataclass(frozen=True)
class Accept:
    """Take checked submissions onto their boards, for good."""

    paths: Positional[tuple[Path, ...]]  # folders below the ledger's
    ledger: Path = LEDGER


@dataclass(frozen=True)
class Withdraw:
    """Take a submission off its board; its line stays in the ledger."""

    path: Positional[Path]
    why: str
    ledger: Path = LEDGER


@dataclass(frozen=True)
class Build:
    """Write the boards as a static site."""

    out: Path  # the folder to write
    boards: tuple[str, ...] = ()  # only these
    also: tuple[Path, ...] = ()  # submissions to show beside those that were accepted
    ledger: tuple[Path, ...] = ()  # by default those that ship with the suite


@dataclass(frozen=True)
class Serve:
    """Show a site that was built, on this machine alone."""

    folder: Positional[Path]
    port: int = 8000


@dataclass(frozen=True)
class Schema:
    """Print submission.json's JSON Schema."""


Verb = Union[  # noqa: UP007 - tyro reads the annotations
    Annotated[Check, subcommand("check")],
    Annotated[Rerun, subcommand("rerun")],
    Annotated[Accept, subcommand("accept")],
    Annotated[Withdraw, subcommand("withdraw")],
    Annotated[Build, subcommand("build")],
    Annotated[Serve, subcommand("serve")],
    Annotated[Schema, subcommand("schema")],
]


def main(words: list[str]) -> int:
    args: Any = tyro.cli(Verb, prog="metairl board", description=__doc__, args=words)
    match args:
        case Check():
            return _check(args)
        case Rerun():
            return _rerun(args)
        case Accept():
            return _accept(args)
        case Withdraw():
            return _withdraw(args)
        case Build():
            return _build(args)
        case Serve():
            from metairl.boards.serve import serve

            return serve(args.folder, args.port)
        case _:
            print_json(Sheet.model_json_schema())
            return 0


def complain(checked: Checked, json: bool) -> int:
    """Every finding; the exit code of a refusal if there is one."""
    if json:
        findings = [vars(finding) for finding in checked.findings]
        print_json({"path": str(checked.path), "sound": checked.sound, "findings": findings})
    for finding in () if json else checked.findings:
        print(f"{finding.rule}: {finding.where}: {finding.what}", file=sys.stderr)
    if not checked.sound and not json:
        print(f"metairl: {checked.path}: refused, {len(checked.findings)} findings", file=sys.stderr)
    return 0 if checked.sound else Refused.code


def _check(args: Check) -> int:
    checked = check(args.path, args.torn)
    if checked.sound and not args.json and checked.submission:
        sheet = checked.submission.sheet
        print(f"{args.path}: sound; '{sheet.method.slug}' on board '{sheet.board}' {sheet.rules}")
        for claim in sheet.claims:
            print(f"  {claim.column:<28} {claim.score:.2f}  {claim.seeds} seeds, {claim.tasks} tasks")
    return complain(checked, args.json)


def _rerun(args: Rerun) -> int:
    from metairl.boards.rerun import rerun

    checked = check(args.path)
    if not checked.sound:
        return complain(checked, args.json)
    if args.episodes < 1:
        raise UsageError(f"--episodes must be 1 or more, not {args.episodes}")
    say = lambda line: print(line, file=sys.stderr)  # noqa: E731
    made = rerun(Bundle(args.path), args.nonce, args.episodes, args.agent, say)
    columns = [
        {"column": seen.column, "claimed": float(seen.claimed.mean()), "seen": float(seen.seen.mean())}
        for seen in made.columns
    ]
    if args.json:
        about = {"digest": made.digest, "nonce": made.nonce, "p": made.p, "agrees": made.agrees}
        print_json(about | {"columns": columns})
    else:
        for column in columns:
            print(f"  {column['column']:<28} claimed {column['claimed']:.2f}, seen {column['seen']:.2f}")
        verdict = "agrees" if made.agrees else "does not agree"
        print(f"{verdict}: p = {made.p:.4f} that claims are as much better by chance")
    if args.record:
        about = {"agreed": made.agrees, "p": made.p, "nonce": made.nonce}
        _write(args.record, "rerun", args.path, about)
    return 0 if made.agrees else Refused.code


def _accept(args: Accept) -> int:
    for path in args.paths:
        checked = check(path)
        if not checked.sound:
            return complain(checked, json=False)
        assert checked.submission
        sheet = checked.submission.sheet
        for row in ledger.standing(args.ledger):
            if (row.board, row.row) == (sheet.board, sheet.method.slug):
                raise UsageError(
                    f"'{row.row}' stands on board '{row.board}' already; withdraw {row.path} first"
                )
        _write(args.ledger, "accepted", path, {})
    return 0


def _withdraw(args: Withdraw) -> int:
    _write(args.ledger, "withdrawn", args.path, {"note": args.why})
    return 0


def _write(file: Path, event: str, path: Path, more: dict[str, object]) -> None:
    submission = read(Bundle(path))
    below = path.resolve()
    if not below.is_relative_to(file.parent.resolve()):
        raise UsageError(f"{path}: is not below '{file.parent}', where its ledger is")
    about = {
        "event": event,
        "board": submission.sheet.board,
        "row": submission.sheet.method.slug,
        "digest": submission.digest,
        "path": below.relative_to(file.parent.resolve()).as_posix(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    ledger.append(file, about | more)
    print(f"{file}: {event} {submission.sheet.method.slug} on {submission.sheet.board}")


def _build(args: Build) -> int:
    from metairl.boards import page

    ledgers = args.ledger or tuple(shelf / LEDGER for shelf in catalogue.card_folders())
    accepted = [row for file in ledgers for row in ledger.standing(file)]
    previews = []
    for path in args.also:
        checked = check(path)
        if not checked.sound or checked.submission is None:
            return complain(checked, json=False)
        previews.append(checked.submission)
    boards = [find_board(name) for name in args.boards or catalogue.boards()]
    page.write(of_accepted(boards, accepted, previews), args.out)
    print(f"{args.out}/index.html")
    return 0
