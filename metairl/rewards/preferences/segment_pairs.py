"""Pairs of segments to be compared, drawn from a replay buffer.

A segment is L consecutive steps of a trial, its start uniform; a trial shorter than L is one segment. Both
segments of a pair are of the same task, and of different trials if the task has more than one.
"""

from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor

from metairl.data.replay import Replay, some_steps


@dataclass(frozen=True)
class Pairs:
    """n pairs, two segments of L steps each."""

    obs: Tensor  # [n, 2, L, O]
    action: Tensor  # [n, 2, L, A]
    mask: Tensor  # [n, 2, L], 0 after a trial's end
    task: Tensor  # [n, P]

    def __len__(self) -> int:
        return len(self.task)

    def __getitem__(self, rows: Tensor) -> "Pairs":
        return Pairs(*(getattr(self, field.name)[rows] for field in fields(self)))

    def concat(self, others: "Pairs") -> "Pairs":
        """These pairs and others after them."""
        both = ((getattr(pairs, field.name) for pairs in (self, others)) for field in fields(self))
        return Pairs(*(torch.cat(list(parts)) for parts in both))


@dataclass(frozen=True)
class Places:
    """Where pairs lie in a replay buffer."""

    task: Tensor  # [n]
    trial: Tensor  # [n, 2]
    first: Tensor  # [n, 2], the step of the trial at which a segment starts

    def __getitem__(self, rows: Tensor) -> "Places":
        return Places(*(getattr(self, field.name)[rows] for field in fields(self)))


def draw(replay: Replay, count: int, length: int, rng: Generator) -> Places:
    """Pairs of any tasks that have trials."""
    tasks = replay.num_trials.nonzero().squeeze(1)
    return draw_in(replay, tasks[torch.randint(len(tasks), (count,), generator=rng)], length, rng)


def draw_in(replay: Replay, task: Tensor, length: int, rng: Generator) -> Places:
    """One pair of each of these tasks, [n]."""
    trials = replay.num_trials[task].clamp(max=replay.capacity)
    one = some_steps(trials, 1, rng)
    offset = 1 + some_steps((trials - 1).clamp(min=1), 1, rng)
    trial = torch.cat([one, (one + offset) % trials.unsqueeze(1)], dim=1)
    last_start = (replay.lengths[task.unsqueeze(1), trial] - length).clamp(min=0)
    return Places(task, trial, some_steps(last_start + 1, 1, rng).squeeze(-1))


def cut(replay: Replay, places: Places, length: int) -> Pairs:
    obs, action = (_gather(replay, name, places, length) for name in ("obs", "action"))
    ends = replay.lengths[places.task.unsqueeze(1), places.trial].unsqueeze(-1)
    mask = (_steps(places, length) < ends).float()
    return Pairs(obs, action, mask, replay.tasks[places.task])


def rewards(replay: Replay, places: Places, length: int) -> Tensor:
    """The true reward of every step, [n, 2, L]: for teachers, never for learners."""
    return _gather(replay, "reward", places, length)


def _gather(replay: Replay, name: str, places: Places, length: int) -> Tensor:
    steps = _steps(places, length).clamp(max=replay.length - 1)
    return replay.data[name][places.task.view(-1, 1, 1), places.trial.unsqueeze(-1), steps]


def _steps(places: Places, length: int) -> Tensor:
    return places.first.unsqueeze(-1) + torch.arange(length)
