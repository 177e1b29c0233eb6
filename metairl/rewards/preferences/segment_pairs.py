"""Pairs of segments that somebody is asked to compare, drawn from what a replay keeps.

A segment is L consecutive steps of a trial, whichever leave room for L with equal chance; a shorter trial is
one as a whole. Both segments of a pair are of one task, and of different trials where it has more than one.
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

    def beside(self, others: "Pairs") -> "Pairs":
        """With others after them."""
        both = ((getattr(pairs, field.name) for pairs in (self, others)) for field in fields(self))
        return Pairs(*(torch.cat(list(parts)) for parts in both))


@dataclass(frozen=True)
class Places:
    """Where pairs lie in a replay."""

    task: Tensor  # [n]
    trial: Tensor  # [n, 2]
    first: Tensor  # [n, 2], step of the trial that a segment begins with

    def __getitem__(self, rows: Tensor) -> "Places":
        return Places(*(getattr(self, field.name)[rows] for field in fields(self)))


def draw(replay: Replay, count: int, length: int, rng: Generator) -> Places:
    """Any pairs of any tasks that were lived in."""
    known = replay.num_trials.nonzero().squeeze(1)
    return draw_in(replay, known[torch.randint(len(known), (count,), generator=rng)], length, rng)


def draw_in(replay: Replay, task: Tensor, length: int, rng: Generator) -> Places:
    """Any pair of each of these tasks, [n]."""
    trials = replay.num_trials[task].clamp(max=replay.capacity)
    one = some_steps(trials, 1, rng)
    away = 1 + some_steps((trials - 1).clamp(min=1), 1, rng)
    trial = torch.cat([one, (one + away) % trials.unsqueeze(1)], dim=1)
    room = (replay.lengths[task.unsqueeze(1), trial] - length).clamp(min=0)
    return Places(task, trial, some_steps(room + 1, 1, rng).squeeze(-1))


def cut(replay: Replay, places: Places, length: int) -> Pairs:
    obs, action = (_kept(replay, name, places, length) for name in ("obs", "action"))
    ends = replay.lengths[places.task.unsqueeze(1), places.trial].unsqueeze(-1)
    mask = (_steps(places, length) < ends).float()
    return Pairs(obs, action, mask, replay.tasks[places.task])


def paid(replay: Replay, places: Places, length: int) -> Tensor:
    """What the task paid in every step, [n, 2, L]: for teachers, never for who learns."""
    return _kept(replay, "reward", places, length)


def _kept(replay: Replay, name: str, places: Places, length: int) -> Tensor:
    steps = _steps(places, length).clamp(max=replay.length - 1)
    return replay.data[name][places.task.view(-1, 1, 1), places.trial.unsqueeze(-1), steps]


def _steps(places: Places, length: int) -> Tensor:
    return places.first.unsqueeze(-1) + torch.arange(length)
