"""Collects complete episodes of policies on all tasks of a split, for offline and imitation learning.

The episodes of a task are shared out to the policies in order, so that a dataset can hold every stage of a
training run. A part is the episodes of one policy on some of the tasks. Parts have separate random streams, so
that they can be collected in any order and repeated.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from metairl.core.interfaces import Policy
from metairl.core.rng import stream
from metairl.core.rollout import Interaction
from metairl.core.types import PolicyInputs
from metairl.data.episodes import Episode
from metairl.envs import make
from metairl.envs.engines import Kind
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet

LANES = 250  # tasks of a part
EPISODE_FIELDS = ("reward", "terminated", "truncated", "success")
STEP_FIELDS = (*EPISODE_FIELDS, "done", "next_obs")
Part = Callable[[], list[Episode]]


def parts(
    policies: Sequence[Policy],
    card: TaskCard,
    tasks: TaskSet,
    inputs: PolicyInputs,
    seed: int,
    engine: Kind = "cpu",
) -> dict[str, Part]:
    """Functions that collect the parts, by name and in order."""
    starts = range(0, len(tasks), LANES)
    return {
        f"{index:03}-{first:06}": partial(_collect, policy, share, tasks, inputs, seed, engine, index, first)
        for index, (policy, share) in enumerate(_shares(policies, card))
        for first in starts
    }


def collect(
    policy: Policy, card: TaskCard, tasks: TaskSet, inputs: PolicyInputs, seed: int, engine: Kind = "cpu"
) -> Iterator[Episode]:
    """The card's number of episodes of each task, tasks in order. Memory is kept between them, as in a trial."""
    for collect_part in parts([policy], card, tasks, inputs, seed, engine).values():
        yield from collect_part()


def _shares(policies: Sequence[Policy], card: TaskCard) -> Iterator[tuple[Policy, TaskCard]]:
    """Evenly spaced policies, each with a card of its number of episodes."""
    last = max(1, card.episodes - 1)
    acting = [round(number * (len(policies) - 1) / last) for number in range(card.episodes)]
    for index, policy in enumerate(policies):
        if count := acting.count(index):
            yield policy, card.model_copy(update={"episodes": count})


def _collect(
    policy: Policy,
    card: TaskCard,
    tasks: TaskSet,
    inputs: PolicyInputs,
    seed: int,
    engine: Kind,
    index: int,
    first: int,
) -> list[Episode]:
    rows = slice(first, first + LANES)
    env_rng, action_rng = (
        stream("collect", name, card.id, tasks.split, seed, index, first) for name in ("world", "act")
    )
    interaction = Interaction(policy, make(card, tasks[rows], env_rng, engine), action_rng, inputs)
    parameters = interaction.env.task
    obs, action, steps = _run(interaction, card.steps)
    episodes = []
    for lane, task in enumerate(tasks.digests[rows]):
        for part in _episodes(steps["done"][lane], card.episodes):
            last = steps["next_obs"][lane, part.stop - 1 : part.stop]
            all_obs = torch.cat([obs[lane, part], last]).numpy()
            values = (steps[name][lane, part].numpy() for name in EPISODE_FIELDS)
            episodes.append(
                Episode(task, parameters[lane].tolist(), seed, all_obs, action[lane, part].numpy(), *values)
            )
    return episodes


@torch.no_grad()
def _run(interaction: Interaction, count: int) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Observations, actions and step fields of so many steps, each [B, T, …]."""
    contexts, actions, steps = zip(*(interaction.step() for _ in range(count)), strict=True)
    fields = {name: torch.stack([getattr(step, name) for step in steps], 1) for name in STEP_FIELDS}
    return torch.cat([context.obs for context in contexts], 1), torch.stack(actions, 1), fields


def _episodes(done: Tensor, count: int) -> Iterator[slice]:
    """Slices of a lane's first complete episodes, from its `done` flags, [T] bool."""
    begin = 0
    for end in (done.nonzero().flatten() + 1).tolist()[:count]:
        yield slice(begin, end)
        begin = end
