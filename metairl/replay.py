"""What training has lived through, kept a task at a time: whole trials, the oldest of a task forgotten first.

steps       any transitions of some tasks, in any order           for encoders that need no past
trials      whole trials, one of each                             for encoders of sequences
evidence    some transitions of a task's newest trial             for encoders of sets
"""

from typing import Any

import torch
from torch import Generator, Tensor

from metairl.types import Batch, Trial, encode_action


class Replay:
    def __init__(self, trials: int, families: Tensor, shaped: bool = False):
        """Of so many trials a task; `families` says which of the families each task belongs to, [N]."""
        self.room = trials
        self.shaped = shaped  # values are of the world's shaped reward
        self.families = families
        self.lived = torch.zeros(len(families), dtype=torch.long)  # trials of each task so far
        self.lengths = torch.zeros(len(families), trials, dtype=torch.long)  # steps that count
        self.tasks = torch.empty(0)  # [N, P]
        self.kept: dict[str, Tensor] = {}  # each [N, trials, T, …]

    def add(self, which: Tensor, trial: Trial) -> None:
        """One trial of each of these different tasks, [B]."""
        assert trial.after is not None, "a replay needs what each step led to"
        came = trial.outcome
        rows = {
            "obs": trial.obs,
            "action": encode_action(trial.action, trial.actions),
            "reward": came.reward,
            "learned": self._learned(trial),
            "after": trial.after,
            "done": came.done.float(),
            "terminated": came.terminated.float(),
        }
        if not self.kept:
            self._make_room(rows, trial.task)
        place = self.lived[which] % self.room
        for name, values in rows.items():
            self.kept[name][which, place] = values
        self.tasks[which] = trial.task
        self.lengths[which, place] = came.counts.sum(1)
        self.lived[which] += 1

    def _learned(self, trial: Trial) -> Tensor:
        if not self.shaped:
            return trial.outcome.reward
        assert trial.shaped is not None, "this world has no shaped reward"
        return trial.shaped

    def steps(self, which: Tensor, count: int, rng: Generator) -> Batch:
        """So many transitions of each task, each of its kept ones with equal chance."""
        ends = self.lengths[which].cumsum(1)  # [B, trials]
        drawn = (torch.rand(len(which), count, generator=rng) * ends[:, -1:]).long()
        place = torch.searchsorted(ends, drawn, right=True)
        step = drawn - (ends - self.lengths[which]).gather(1, place)
        return self._picked(which, place, step)

    def trials(self, which: Tensor, rng: Generator) -> Batch:
        """One whole trial of each task."""
        kept = self.lived[which].clamp(max=self.room)
        place = (torch.rand(len(which), generator=rng) * kept).long()
        chosen = {name: values[which, place] for name, values in self.kept.items()}
        steps = torch.arange(chosen["reward"].shape[1])
        counts = (steps < self.lengths[which, place].unsqueeze(1)).float()
        return Batch(**chosen, counts=counts, task=self.tasks[which], family=self.families[which])

    def evidence(self, which: Tensor, count: int, episodes: int, recent: int, rng: Generator) -> Batch:
        """So many transitions a task, of the first `episodes` episodes of its `recent` newest trials."""
        ago = some_steps(self.lived[which].clamp(max=min(recent, self.room)), count, rng)
        place = (self.lived[which].unsqueeze(1) - 1 - ago) % self.room
        step = some_steps(self._before(which, episodes).gather(1, place), 1, rng)
        return self._picked(which, place, step.squeeze(-1))

    def _before(self, which: Tensor, episodes: int) -> Tensor:
        """Steps of every kept trial's first episodes that count, [B, trials]."""
        ended = self.kept["done"][which].cumsum(2) >= episodes
        last = ended.long().argmax(2) + 1
        return last.where(ended.any(2), ended.shape[2]).minimum(self.lengths[which])

    def state(self) -> dict[str, Any]:
        """All that is kept, without the room that is still empty."""
        used = int(self.lived.max().clamp(max=self.room))
        kept = {name: values[:, :used].clone() for name, values in self.kept.items()}
        return {
            "kept": kept,
            "lived": self.lived.clone(),
            "lengths": self.lengths.clone(),
            "tasks": self.tasks,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.lived, self.lengths, self.tasks = state["lived"], state["lengths"], state["tasks"]
        self.kept = {}
        for name, values in state["kept"].items():
            self.kept[name] = values.new_zeros(len(values), self.room, *values.shape[2:])
            self.kept[name][:, : values.shape[1]] = values

    def _make_room(self, rows: dict[str, Tensor], task: Tensor) -> None:
        sizes = len(self.families), self.room
        self.kept = {name: values.new_zeros(*sizes, *values.shape[1:]) for name, values in rows.items()}
        self.tasks = task.new_zeros(len(self.families), task.shape[1])

    def _picked(self, which: Tensor, place: Tensor, step: Tensor) -> Batch:
        """Steps by where they are kept, [B, T] each."""
        length = self.kept["reward"].shape[2]
        row = ((which.unsqueeze(1) * self.room + place) * length + step).flatten()
        chosen = {
            name: values.flatten(0, 2).index_select(0, row).view(*step.shape, *values.shape[3:])
            for name, values in self.kept.items()
        }
        return Batch(
            **chosen,
            counts=torch.ones_like(chosen["reward"]),
            task=self.tasks[which],
            family=self.families[which],
        )


def some_steps(lengths: Tensor, count: int, rng: Generator) -> Tensor:
    """So many steps of each, [..., count], any of the first `lengths`, [...]."""
    return (torch.rand(*lengths.shape, count, generator=rng) * lengths.unsqueeze(-1)).long()
