"""Judges runs on what they were not trained on, and on what they were, and puts them in a matrix.

Everything is judged as `metairl evaluate` does it alone: whole trials, weights still, the last parameters.
What does not fit is refused before anything is judged.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from metairl.core.errors import UsageError
from metairl.core.records import Evaluation, RunFolder
from metairl.core.rng import stream
from metairl.evaluation import protocol
from metairl.evaluation.transfer_matrix import OWN, TRAINING, Cell, Matrix, Relation, Row
from metairl.experiments.assemble import can_act
from metairl.experiments.judging import infers_from_support, judge
from metairl.experiments.request import Request, read_request
from metairl.experiments.run import reopen
from metairl.rewards.irl.solution import Evaluable, IRLMethod
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet

Column = list[Evaluation] | None  # one run's, by episode; None where it cannot be judged


def matrix(folders: Sequence[RunFolder], on: Sequence[str], split: str, threads: int | None) -> Matrix:
    """Runs that differ in their seed alone are one row."""
    elsewhere = list(dict.fromkeys(map(catalogue.task_name, on)))
    rows: dict[Request, dict[int, RunFolder]] = defaultdict(dict)
    for folder in folders:
        request = read_request(folder)
        check_alike(request, on)
        seeds = rows[replace(request, seed=0)]
        if request.seed in seeds:
            raise UsageError(
                f"{seeds[request.seed].path} and {folder.path} are the same run, seed {request.seed}"
            )
        seeds[request.seed] = folder
    return Matrix(
        split,
        [OWN, *elsewhere, TRAINING],
        [_row(seeds, elsewhere, split, threads) for seeds in rows.values()],
    )


def check_alike(request: Request, elsewhere: Sequence[str]) -> None:
    for name in elsewhere:
        if not can_act(request, catalogue.task(name)):
            raise UsageError(f"what was trained on '{request.task}' cannot act on '{name}'")


def relation(trained: TaskCard, judged: TaskCard) -> Relation:
    """How another card's tasks differ from those trained on; how long they last is no difference."""
    if _of_one_length(trained).sha256 == _of_one_length(judged).sha256:
        return OWN
    if _wanted(trained) != _wanted(judged):
        return "new tasks"
    return "changed dynamics" if trained.physics != judged.physics else "varied parameters"


def training_sample(card: TaskCard) -> TaskSet:
    """As many as there are test tasks: the first of a fixed split, else drawn for this alone."""
    if card.split.train != "endless":
        return TaskSet(card.id, "train", sampling.task_set(card, "train")[slice(card.split.test)])
    return TaskSet(
        card.id, "train", sampling.sample_tasks(card, card.split.test, stream("retention", card.id))
    )


@dataclass(frozen=True)
class _Run:
    request: Request
    steps: int
    judged: dict[str, Column]  # by column


def _row(seeds: dict[int, RunFolder], elsewhere: Sequence[str], split: str, threads: int | None) -> Row:
    runs = [_judged(seeds[seed], elsewhere, split, threads) for seed in sorted(seeds)]
    request = runs[0].request
    return Row(
        method=request.label,
        trained_on=request.task,
        steps=min(run.steps for run in runs),
        seeds=tuple(run.request.seed for run in runs),
        cells={
            column: _cell(request, column, [run.judged[column] for run in runs]) for column in runs[0].judged
        },
    )


def _judged(folder: RunFolder, elsewhere: Sequence[str], split: str, threads: int | None) -> _Run:
    torch.set_num_threads(threads or folder.description()["threads"])
    request, policy, spent = reopen(folder)
    columns: dict[str, Column] = {OWN: judge(request, policy, split, spent)}
    for name in elsewhere:
        own = name == request.task
        columns[name] = columns[OWN] if own else judge(request, policy, split, spent, catalogue.task(name))
    columns[TRAINING] = _retained(request, policy, spent)
    return _Run(request, spent.env_steps or spent.gradient_steps, columns)


def _retained(request: Request, policy: Evaluable, spent: protocol.StepCounts) -> Column:
    """None for methods with support before the trial: there is no dataset of this sample."""
    if isinstance(policy, IRLMethod) or infers_from_support(request, policy):
        return None
    tasks = training_sample(request.card)
    return protocol.meta_test(
        policy, request.card, tasks, request.inputs, request.seed, spent, request.engine
    )


def _cell(request: Request, column: str, runs: Sequence[Column]) -> Cell | None:
    judged = [run for run in runs if run is not None]
    if not judged:
        return None
    task = request.task if column in (OWN, TRAINING) else column
    success = [[e.success for e in run] for run in judged]
    return Cell(
        task=task,
        relation=TRAINING if column == TRAINING else relation(request.card, catalogue.task(task)),
        returns=np.array([[e.returns for e in run] for run in judged], dtype=float),
        success=np.array(success, dtype=float) if catalogue.task(task).reports_success else None,
    )


def _of_one_length(card: TaskCard) -> TaskCard:
    return card.model_copy(update={"horizon": 1, "episodes": 1, "data": None, "demos": None})


def _wanted(card: TaskCard) -> tuple[Any, ...]:
    """What a card's tasks ask for."""
    skills = sorted(card.skill_goals.train + card.skill_goals.test) if card.arm else None
    return card.world, card.physics and card.physics.aim, skills
