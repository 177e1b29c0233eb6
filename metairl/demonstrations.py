"""Whole episodes of a policy on every task of a split: what imitation and offline learning begin with."""

from collections.abc import Iterator

import torch
from torch import Tensor

from metairl.cards import TaskCard
from metairl.data import Episode
from metairl.draws import TaskSet
from metairl.rollout import Play
from metairl.streams import stream
from metairl.types import Policy, Sight
from metairl.worlds import make
from metairl.worlds.engine import Kind

LANES = 250  # tasks at once
KEPT = ("reward", "terminated", "truncated", "success")
CAME = (*KEPT, "done", "final_obs")


def collect(
    policy: Policy, card: TaskCard, tasks: TaskSet, sight: Sight, seed: int, engine: Kind = "cpu"
) -> Iterator[Episode]:
    """The card's episodes of each task, tasks in order. Memory is kept between them, as in a trial."""
    for first in range(0, len(tasks), LANES):
        rows = slice(first, first + LANES)
        chance, choice = (
            stream("collect", name, card.id, tasks.split, seed, first) for name in ("world", "act")
        )
        play = Play(policy, make(card, tasks[rows], chance, engine), choice, sight)
        parameters = play.world.task
        obs, action, steps = _lived(play, card.steps)
        for lane, task in enumerate(tasks.digests[rows]):
            for part in _episodes(steps["done"][lane], card.episodes):
                last = steps["final_obs"][lane, part.stop - 1 : part.stop]
                yield Episode(
                    task,
                    parameters[lane].tolist(),
                    seed,
                    torch.cat([obs[lane, part], last]).numpy(),
                    action[lane, part].numpy(),
                    *(steps[name][lane, part].numpy() for name in KEPT),
                )


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
