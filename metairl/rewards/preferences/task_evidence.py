"""Answered comparisons of every task's logs, and which task it is as a few of them tell.

a step of the segment that was preferred    1
a step of the other                        −1      in place of its reward, which is not shown
both, where one is as good as the other     0
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
    """As many questions about every task, one task's after the other's."""

    pairs: Pairs  # [N · m]
    first: Tensor  # [N · m], y
    given: Tensor  # [N · m] bool, else skipped
    each: int  # m

    def some(self, which: Tensor, count: int, rng: Generator) -> Batch:
        """So many of each of these tasks, any of them."""
        order = torch.rand(len(which), self.each, generator=rng).argsort(1)[:, :count]
        rows = (which.unsqueeze(1) * self.each + order).flatten()
        return evidence(self.pairs[rows], self.first[rows], self.given[rows], len(which))


def ask(replay: Replay, each: int, length: int, teacher: Teacher, rng: Generator) -> TaskComparisons:
    tasks = torch.arange(len(replay.num_trials)).repeat_interleave(each)
    places = segments.draw_in(replay, tasks, length, rng)
    pairs = segments.cut(replay, places, length)
    answers = teacher.answer(pairs, segments.paid(replay, places, length), rng)
    return TaskComparisons(pairs, answers.first, answers.given, each)


def evidence(pairs: Pairs, first: Tensor, given: Tensor, tasks: int) -> Batch:
    """Steps of both segments one after the other, of as many pairs of every task; what counts comes first."""
    better = 2 * first - 1
    said = torch.stack([better, -better], dim=1).unsqueeze(-1).expand(pairs.mask.shape)
    mask = pairs.mask * given.view(-1, 1, 1)
    order = mask.view(tasks, -1).argsort(dim=1, descending=True, stable=True)
    nothing, lanes = torch.zeros_like(mask), torch.arange(tasks).unsqueeze(1)

    def laid(x: Tensor) -> Tensor:
        return x.reshape(tasks, -1, *x.shape[3:])[lanes, order]

    return Batch(
        obs=laid(pairs.obs),
        action=laid(pairs.action),
        reward=laid(said * mask),
        training_reward=laid(nothing),
        next_obs=laid(pairs.obs),
        done=laid(nothing),
        terminated=laid(nothing),
        mask=laid(mask),
        task=pairs.task.new_zeros(tasks, pairs.task.shape[1]),
        family=torch.zeros(tasks, dtype=torch.long),
        is_demo=laid(nothing),
    )
