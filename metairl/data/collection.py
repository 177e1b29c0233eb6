"""Whole episodes of policies on every task of a split: what imitation and offline learning begin with.

Policies take turns, from the first to the last, so that logs may hold every stage of what was once learned.
A part is one policy's episodes on some of the tasks; it has random streams of its own, so that parts can be
made in any order, again, and apart.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from metairl.core.interfaces import Policy
from metairl.core.rng import stream
from metairl.core.rollout import Play
from metairl.core.types import PolicyInputs
from metairl.data.episodes import Episode
from metairl.envs import make
from metairl.envs.engines import Kind
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet

LANES = 250  # tasks at once
KEPT = ("reward", "terminated", "truncated", "success")
CAME = (*KEPT, "done", "next_obs")
Part = Callable[[], list[Episode]]


def parts(
    policies: Sequence[Policy],
    card: TaskCard,
    tasks: TaskSet,
    inputs: PolicyInputs,
    seed: int,
    engine: Kind = "cpu",
) -> dict[str, Part]:
    """By name, in order. The card's episodes of each task, every policy's share of them in its turn."""
    every = range(0, len(tasks), LANES)
    return {
        f"{turn:03}-{first:06}": partial(_part, policy, some, tasks, inputs, seed, engine, turn, first)
        for turn, (policy, some) in enumerate(_turns(policies, card))
        for first in every
    }


def collect(
    policy: Policy, card: TaskCard, tasks: TaskSet, inputs: PolicyInputs, seed: int, engine: Kind = "cpu"
) -> Iterator[Episode]:
    """The card's episodes of each task, tasks in order. Memory is kept between them, as in a trial."""
    for make_part in parts([policy], card, tasks, inputs, seed, engine).values():
        yield from make_part()


def _turns(policies: Sequence[Policy], card: TaskCard) -> Iterator[tuple[Policy, TaskCard]]:
    """Policies evenly spaced, each with the episodes that it acts in."""
    last = max(1, card.episodes - 1)
    chosen = [round(number * (len(policies) - 1) / last) for number in range(card.episodes)]
    for index, policy in enumerate(policies):
        if count := chosen.count(index):
            yield policy, card.model_copy(update={"episodes": count})


def _part(
    policy: Policy,
    card: TaskCard,
    tasks: TaskSet,
    inputs: PolicyInputs,
    seed: int,
    engine: Kind,
    turn: int,
    first: int,
) -> list[Episode]:
    rows = slice(first, first + LANES)
    chance, choice = (
        stream("collect", name, card.id, tasks.split, seed, turn, first) for name in ("world", "act")
    )
    play = Play(policy, make(card, tasks[rows], chance, engine), choice, inputs)
    parameters = play.env.task
    obs, action, steps = _lived(play, card.steps)
    episodes = []
    for lane, task in enumerate(tasks.digests[rows]):
        for part in _episodes(steps["done"][lane], card.episodes):
            last = steps["next_obs"][lane, part.stop - 1 : part.stop]
            seen = torch.cat([obs[lane, part], last]).numpy()
            came = (steps[name][lane, part].numpy() for name in KEPT)
            episodes.append(
                Episode(task, parameters[lane].tolist(), seed, seen, action[lane, part].numpy(), *came)
            )
    return episodes


@torch.no_grad()
def _lived(play: Play, count: int) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """[B, T, …] each."""
    known, actions, steps = zip(*(play.step() for _ in range(count)), strict=True)
    came = {name: torch.stack([getattr(step, name) for step in steps], 1) for name in CAME}
    return torch.cat([context.obs for context in known], 1), torch.stack(actions, 1), came


def _episodes(done: Tensor, count: int) -> Iterator[slice]:
    """Where a lane's first episodes stand, whole ones."""
    begin = 0
    for end in (done.nonzero().flatten() + 1).tolist()[:count]:
        yield slice(begin, end)
        begin = end
