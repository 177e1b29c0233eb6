"""Comparisons as context that set encoders infer a task from: a label in place of the reward of every step.

label   1 for steps of the preferred segment, −1 for those of the other, 0 for both where they tie
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.core.types import Batch
from metairl.data.replay import Replay
from metairl.rewards.preferences import segment_pairs as segments
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Teacher


@dataclass(frozen=True)
class TaskComparisons:
    """m comparisons in each of N tasks, grouped by task."""

    pairs: Pairs  # [N · m]
    first: Tensor  # [N · m], y
    given: Tensor  # [N · m] bool, else skipped
    each: int  # m

    def sample(self, which: Tensor, count: int, rng: Generator) -> Batch:
        """So many comparisons of each of these tasks, in random order."""
        order = torch.rand(len(which), self.each, generator=rng).argsort(1)[:, :count]
        rows = (which.unsqueeze(1) * self.each + order).flatten()
        return as_context(self.pairs[rows], self.first[rows], self.given[rows], len(which))


def compare(replay: Replay, each: int, length: int, teacher: Teacher, rng: Generator) -> TaskComparisons:
    """The teacher's answers to `each` pairs of every task."""
    tasks = torch.arange(len(replay.num_trials)).repeat_interleave(each)
    places = segments.draw_in(replay, tasks, length, rng)
    pairs = segments.cut(replay, places, length)
    answers = teacher.answer(pairs, segments.rewards(replay, places, length), rng)
    return TaskComparisons(pairs, answers.first, answers.given, each)


def as_context(pairs: Pairs, first: Tensor, given: Tensor, tasks: int) -> Batch:
    """The steps of equally many pairs of every task, masked steps last; labels in place of rewards."""
    label = 2 * first - 1
    labels = torch.stack([label, -label], dim=1).unsqueeze(-1).expand(pairs.mask.shape)
    mask = pairs.mask * given.view(-1, 1, 1)
    order = mask.view(tasks, -1).argsort(dim=1, descending=True, stable=True)
    zero, lanes = torch.zeros_like(mask), torch.arange(tasks).unsqueeze(1)

    def by_task(x: Tensor) -> Tensor:
        return x.reshape(tasks, -1, *x.shape[3:])[lanes, order]

    return Batch(
        obs=by_task(pairs.obs),
        action=by_task(pairs.action),
        reward=by_task(labels * mask),
        training_reward=by_task(zero),
        next_obs=by_task(pairs.obs),
        done=by_task(zero),
        terminated=by_task(zero),
        mask=by_task(mask),
        task=pairs.task.new_zeros(tasks, pairs.task.shape[1]),
        family=torch.zeros(tasks, dtype=torch.long),
        is_demo=by_task(zero),
    )
