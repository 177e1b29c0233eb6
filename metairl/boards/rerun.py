"""Whether a submission's networks do what its episodes say: fresh episodes, drawn after it was handed in.

    seed       of hash(submission, nonce): nobody could know the episodes before
    tasks      new ones from the card's distribution if methods get no support, else its test tasks
    p          share of permutations within columns whose difference (claimed − seen) is at least as large

    p = (1 + #{d* ≥ d}) / (1 + R),   d = mean over columns of (mean claimed score − mean seen score)

A submission whose p is below 0.05 does not agree. One in twenty honest ones will not either: that is what a
second nonce is for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metairl.boards.bundle import Bundle
from metairl.boards.pack import find_board, networks
from metairl.boards.scores import of_tasks
from metairl.boards.submission import Ran, Submission, read
from metairl.core.arrays import Floats
from metairl.core.errors import Refused, UsageError
from metairl.core.records import Evaluation
from metairl.core.rng import seed_of, stream
from metairl.evaluation import protocol
from metairl.evaluation.tables import scores
from metairl.experiments import external_agents
from metairl.experiments.assemble import build
from metairl.experiments.judging import given_support
from metairl.experiments.request import Request, from_run
from metairl.rewards.irl.solution import Evaluable
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import BoardCard, Column

LEVEL = 0.05
ROUNDS = 2_000
FRESH = "rerun"  # the split that fresh tasks are of

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Seen:
    """A column, as it was claimed and as it was seen now."""

    column: str
    claimed: Floats
    seen: Floats


@dataclass(frozen=True)
class Rerun:
    digest: str
    nonce: str
    columns: list[Seen]
    p: float

    @property
    def agrees(self) -> bool:
        return self.p >= LEVEL


def rerun(bundle: Bundle, nonce: str, episodes: int, agent: str | None, say: Progress) -> Rerun:
    """With at least `episodes` fresh trials a column, shared by its seeds.

    `agent`, MODULE:FACTORY, acts for rows from outside.
    """
    submission = read(bundle)
    board = find_board(submission.sheet.board)
    fresh: dict[str, list[Evaluation]] = {}
    for ran in submission.runs:
        seeds = sum(other.made.task == ran.made.task for other in submission.runs)
        fresh[ran.path] = _lived(bundle, submission, ran, nonce, -(-episodes // seeds), agent)
        say(f"{ran.path}: judged again on {len(fresh[ran.path][0].returns)} tasks")
    columns = [seen for column in board.columns if (seen := _seen(column, board, submission.runs, fresh))]
    chance = np.random.default_rng(seed_of("rerun", submission.digest, nonce))
    p = overclaimed([(seen.claimed, seen.seen) for seen in columns], chance)
    return Rerun(submission.digest, nonce, columns, p)


def overclaimed(columns: Sequence[tuple[Floats, Floats]], rng: np.random.Generator) -> float:
    """One-sided p-value that claims are better than what was seen only by chance."""
    observed, dealt = 0.0, np.zeros(ROUNDS)
    for claimed, seen in columns:
        observed += float(claimed.mean() - seen.mean())
        dealt += _dealt(np.concatenate([claimed, seen]), claimed.size, rng)
    return float((1 + (dealt >= observed - 1e-9).sum()) / (1 + ROUNDS))


def _dealt(pooled: Floats, claimed: int, rng: np.random.Generator) -> Floats:
    """Differences where who claimed and who saw is dealt out anew, [R]; a draw of the smaller side does."""
    smaller = min(claimed, pooled.size - claimed)
    dealt = [rng.choice(pooled, smaller, replace=False, shuffle=False).sum() for _ in range(ROUNDS)]
    sums: Floats = np.array(dealt, dtype=float)
    apart: Floats = sums / smaller - (pooled.sum() - sums) / (pooled.size - smaller)
    return apart if smaller == claimed else -apart


def _seen(
    column: Column, board: BoardCard, runs: Sequence[Ran], fresh: dict[str, list[Evaluation]]
) -> Seen | None:
    claimed = of_tasks(list(runs), column, board)
    if claimed is None:
        return None
    own = [fresh[ran.path] for ran in runs if ran.made.task == catalogue.task_name(column.task)]
    metric = column.metric or board.metric
    seen = np.concatenate([scores(evaluations, column, metric) for evaluations in own])
    return Seen(column.name, claimed.flatten(), seen)


def _lived(
    bundle: Bundle, submission: Submission, ran: Ran, nonce: str, trials: int, agent: str | None
) -> list[Evaluation]:
    card = catalogue.task(ran.made.task)
    request = None if ran.made.adapter else _asked(bundle, ran)
    policy = (
        given_support(request, _policy(bundle, ran, request), card, "test")
        if request
        else _outside(ran, agent)
    )
    seed = seed_of("rerun", submission.digest, nonce, ran.path)
    has_support = request is not None and not request.problem.transfers
    if has_support or not sampling.can_sample_test_tasks(card):
        tasks = sampling.task_set(card, "test")
    else:
        fresh = sampling.sample_tasks(card, trials * sampling.test_cycle(card), stream("fresh", seed), "test")
        tasks = sampling.TaskSet(card.id, FRESH, fresh)
    inputs = request.inputs if request else external_agents.inputs(card)
    return protocol.meta_test(policy, card, tasks, inputs, seed, protocol.StepCounts(), ran.made.engine)


def _outside(ran: Ran, agent: str | None) -> external_agents.Outside:
    if agent is None:
        raise UsageError(f"{ran.path}: acts by '{ran.made.adapter}'; name where it is here with --agent")
    return external_agents.load(agent, ran.made.task, ran.made.seed)


def _asked(bundle: Bundle, ran: Ran) -> Request:
    request = from_run(ran.made.model_dump(mode="json", by_alias=True), f"{bundle.path}/{ran.path}")
    if request.method.adapt:
        raise UsageError(
            f"'{request.method.label}' goes on learning in held-out tasks, which no rerun does yet"
        )
    return request


def _policy(bundle: Bundle, ran: Ran, request: Request) -> Evaluable:
    """As the packed networks have it."""
    policy, recipe = build(request)
    if recipe is not None:
        kept = networks(bundle, ran.path)
        if kept is None:
            raise Refused(f"{ran.path}: packed without its networks, so nobody can run it again")
        try:
            recipe.networks.load_state_dict(kept["networks"])
        except (KeyError, RuntimeError, AttributeError):
            raise Refused(f"{ran.path}: its networks are not those of '{request.method.label}'") from None
    return policy
