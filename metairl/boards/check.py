"""Whether a submission is what a board asks for: every rule looked at, every breach said with its place.

    files       names and sizes that a submission has, sums that agree                    bundle.py
    sheet       its schema; a board that there is, under the rules of today
    runs        one method, of the board's support, on the board's tasks, finished, by committed code
    episodes    of every run all test tasks, as the card draws them, and every episode index exactly once
    plausible   lengths, steps, budgets, clocks and successes that can have been
    claims      recomputed from the episodes, to 1e-9

A check proves that the numbers are consistent, not that the episodes were run: for that see rerun.py.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from metairl.boards.bundle import SHEET, SUMS, Bundle
from metairl.boards.scores import aggregate, claimed
from metairl.boards.strict import printable
from metairl.boards.submission import Ran, Submission, read
from metairl.core.errors import MetairlError, Refused, UsageError, nearest
from metairl.core.records import Evaluation
from metairl.experiments.request import from_run
from metairl.methods import registry
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import BoardCard, TaskCard, digest

EXACT = 1e-9


@dataclass(frozen=True)
class Finding:
    rule: str  # "files", "sheet", "runs", "episodes", "plausible" or "claims"
    where: str
    what: str


@dataclass(frozen=True)
class Checked:
    path: Path
    submission: Submission | None  # None: it could not be read
    findings: list[Finding]

    @property
    def sound(self) -> bool:
        return not self.findings


def check(path: Path, torn: bool = False) -> Checked:
    """Reads all of a submission and runs none of it."""
    bundle = Bundle(path)
    try:
        _require_sums(bundle)
        submission = read(bundle, torn)
    except Refused as fault:
        return Checked(path, None, [Finding("files", str(path), str(fault))])
    return Checked(path, submission, _findings(submission))


def _require_sums(bundle: Bundle) -> None:
    """SHA256SUMS names every other file, once, and no other."""
    listed: dict[str, str] = {}
    for number, line in enumerate(bundle.read(SUMS).decode("ascii", "replace").splitlines(), start=1):
        sha256, _, name = line.partition("  ")
        if name in listed or name not in bundle.sizes or name == SUMS:
            raise Refused(f"{SUMS}:{number}: '{printable(name)}' is listed twice or is not there")
        listed[name] = sha256
    for name in bundle.sizes:
        if name != SUMS and name not in listed:
            raise Refused(f"{SUMS}: '{name}' is not listed")
        if name != SUMS and bundle.sha256(name) != listed[name]:
            raise Refused(f"{name}: its bytes are not those of {SUMS}")


def _findings(submission: Submission) -> list[Finding]:
    board = catalogue.boards().get(submission.sheet.board)
    if board is None:
        hint = nearest(submission.sheet.board, catalogue.boards())
        return [Finding("sheet", SHEET, f"no board '{submission.sheet.board}'; {hint}")]
    found = [*_sheet(submission, board), *_alike(submission)]
    for ran in submission.runs:
        found += _ran(ran, board)
    if any(finding.rule in ("runs", "episodes") for finding in found):
        return found  # of such episodes nothing can be computed
    return [*found, *_claims(submission, board)]


def _ran(ran: Ran, board: BoardCard) -> Iterator[Finding]:
    if ran.made.task not in {catalogue.task_name(column.task) for column in board.columns}:
        yield Finding("runs", ran.path, f"'{ran.made.task}' is no task of board '{board.id}'")
        return
    card = catalogue.task(ran.made.task)
    yield from (Finding("runs", ran.path, what) for what in _run(ran, card))
    yield from (Finding("episodes", ran.path, what) for what in _episodes(ran, card))
    yield from (Finding("plausible", ran.path, what) for what in _plausible(ran, card, board))


def _sheet(submission: Submission, board: BoardCard) -> Iterator[Finding]:
    sheet = submission.sheet
    if sheet.rules != board.rules:
        yield Finding("sheet", SHEET, f"made for rules {sheet.rules}; board '{board.id}' has {board.rules}")
    if sheet.support != board.support and sheet.method.family != "reference":
        yield Finding("sheet", SHEET, f"support '{sheet.support}'; this board is for '{board.support}'")
    if sheet.date > (datetime.now(UTC) + timedelta(days=1)).date():
        yield Finding("sheet", SHEET, f"the date {sheet.date} is still to come")


def _alike(submission: Submission) -> Iterator[Finding]:
    """One method, named once; runs of a task differ in their seed alone."""
    if not submission.runs:
        yield Finding("runs", SHEET, "there is no run in it")
    settings: dict[str, set[str]] = defaultdict(set)
    seeds: Counter[tuple[str, int]] = Counter()
    for ran in submission.runs:
        made = ran.made
        settings[made.task].add(_settings(ran))
        seeds[made.task, made.seed] += 1
        if (made.method, made.encoder) != (submission.runs[0].made.method, submission.runs[0].made.encoder):
            yield Finding("runs", ran.path, f"made by '{made.method}', others by another method")
    for task, kinds in settings.items():
        if len(kinds) > 1:
            yield Finding("runs", task, f"its seeds have {len(kinds)} different settings or budgets")
    for (task, seed), count in seeds.items():
        if count > 1:
            yield Finding("runs", task, f"seed {seed} is there {count} times")


def _settings(ran: Ran) -> str:
    """What a version did not know yet has today's default."""
    made = ran.made
    if made.adapter is None and made.method in registry.METHODS:
        try:
            request = from_run(made.model_dump(mode="json", by_alias=True), ran.path)
            return repr((request.steps, request.settings))
        except MetairlError as fault:
            return str(fault)
    return digest([made.steps, made.config])


def _run(ran: Ran, card: TaskCard) -> Iterator[str]:
    made = ran.made
    if ran.path != f"{made.task.replace(':', '_')}/seed-{made.seed}":
        yield f"lies where '{made.task}', seed {made.seed}, does not belong"
    if made.card_sha256 != card.sha256:
        yield f"judged on another version of the card '{card.id}'"
    if made.dirty:
        yield "made by code that was not committed"
    if made.adapter is None:
        try:
            registry.find(made.method)
        except UsageError as fault:
            yield f"{fault}; an agent from outside has an 'adapter'"


def _episodes(ran: Ran, card: TaskCard) -> Iterator[str]:
    """One evaluation of every episode index, of every task that was to be judged."""
    tasks = sampling.task_set(card, "test")
    indices = Counter(e.k for e in ran.tested)
    for k in range(1, card.episodes + 1):
        if indices[k] != 1:
            yield f"episode {k} was judged {indices[k]} times, not once"
    for k in sorted(set(indices) - set(range(1, card.episodes + 1))):
        yield f"episode {k} of {card.episodes}"
    for e in ran.tested:
        if len(e.returns) != len(tasks):
            yield f"episode {e.k}: {len(e.returns)} tasks, not {len(tasks)}"
        if e.tasks_sha256 != tasks.sha256:
            yield f"episode {e.k}: judged on tasks that the card does not draw"
        if (e.success is not None) != card.reports_success:
            yield f"episode {e.k}: success is {'missing' if card.reports_success else 'not of this task'}"
        if {len(e.returns)} != {len(e.all_lengths), len(e.success or e.returns)}:
            yield f"episode {e.k}: as many lengths or successes as returns are needed"


def _plausible(ran: Ran, card: TaskCard, board: BoardCard) -> Iterator[str]:
    made = ran.made
    if not made.started <= made.finished <= datetime.now(UTC) + timedelta(days=1):
        yield "it ended before it began, or is still to come"
    if board.max_steps is not None and made.steps > board.max_steps:
        yield f"a budget of {made.steps:,} steps; the board allows {board.max_steps:,}"
    clocks = [e.clock for e in ran.judged if e.split == "validation"]
    if clocks != sorted(clocks):
        yield "its curve goes back in time"
    for e in ran.tested:
        yield from (f"episode {e.k}: {what}" for what in _judgement(e, card, made.steps))


def _judgement(e: Evaluation, card: TaskCard, steps: int) -> Iterator[str]:
    if e.clock < steps:
        yield f"judged after {e.clock:,} of {steps:,} training steps"
    if not all(1 <= length <= card.horizon for length in e.all_lengths):
        yield f"lengths that are not between 1 and {card.horizon}"
    if e.eval_steps != sum(e.all_lengths):
        yield f"{e.eval_steps:,} steps for episodes of {sum(e.all_lengths):,}"
    if not 0 <= e.diverged <= len(e.returns):
        yield f"{e.diverged} diverged episodes of {len(e.returns)}"
    if not all(math.isfinite(value) and value >= 0 for value in e.seconds.values()):
        yield "time that cannot have passed"


def _claims(submission: Submission, board: BoardCard) -> Iterator[Finding]:
    sheet, own = submission.sheet, claimed(submission.runs, board)
    claims = {claim.column: claim for claim in sheet.claims}
    if len(claims) != len(sheet.claims) or set(claims) != set(own):
        yield Finding("claims", SHEET, f"claims {sorted(claims)}; its runs are of {sorted(own)}")
    for name in claims.keys() & own.keys():
        if (claims[name].seeds, claims[name].tasks) != (own[name].seeds, own[name].tasks):
            has = f"{own[name].seeds} seeds and {own[name].tasks} tasks"
            yield Finding("claims", SHEET, f"'{name}': the episodes are of {has}")
        if not _equal(claims[name].score, own[name].score):
            what = f"'{name}': claimed {claims[name].score}, the episodes say {own[name].score}"
            yield Finding("claims", SHEET, what)
    whole = aggregate(submission.runs, board)
    if not _equal(whole, sheet.aggregate):
        yield Finding("claims", SHEET, f"aggregate: claimed {sheet.aggregate}, the episodes say {whole}")


def _equal(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return abs(ours - theirs) <= EXACT
