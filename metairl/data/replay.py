"""What training has lived through, kept a task at a time: whole trials, the oldest of a task forgotten first.

steps       any transitions of some tasks, in any order           for encoders that need no past
segments    consecutive steps of trials, or whole ones            for encoders of sequences
evidence    some transitions of a task's newest trial             for encoders of sets
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from metairl.core.types import Batch, Segment, Trial, encode_action


class Replay:
    shown = False  # what is kept was demonstrated, and what it paid is not known

    def __init__(self, trials: int, length: int, families: Tensor, shaped: bool = False):
        """Of so many trials a task, of so many steps; which of the families each task belongs to, [N]."""
        self.room = trials
        self.length = length  # T
        self.shaped = shaped  # values are of the world's shaped reward
        self.families = families
        self.lived = torch.zeros(len(families), dtype=torch.long)  # trials of each task so far
        self.lengths = torch.zeros(len(families), trials, dtype=torch.long)  # steps that count
        self.tasks = torch.empty(0)  # [N, P]
        self.kept: dict[str, Tensor] = {}  # each [N, trials, T, …]
        self.memory = torch.empty(
            len(families), 0
        )  # [N, trials, S, M], what acting remembered where segments begin

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
            self._make_room(rows, trial)
        place = self.lived[which] % self.room
        for name, values in rows.items():
            self.kept[name][which, place, : values.shape[1]] = values  # shorter where all lanes ended early
        if trial.memory is not None:
            self.memory[which, place, : trial.memory.shape[1]] = trial.memory
        self.tasks[which] = trial.task
        self.lengths[which, place] = came.counts.sum(1)
        self.lived[which] += 1

    def _learned(self, trial: Trial) -> Tensor:
        if not self.shaped:
            return trial.outcome.reward
        assert trial.shaped is not None, "this world has no shaped reward"
        return trial.shaped

    def only(self, which: Tensor) -> "Replay":
        """The same of fewer tasks."""
        fewer = Replay(self.room, self.length, self.families[which], self.shaped)
        fewer.lived, fewer.lengths, fewer.tasks = self.lived[which], self.lengths[which], self.tasks[which]
        fewer.kept = {name: values[which] for name, values in self.kept.items()}
        fewer.memory, fewer.shown = self.memory[which], self.shown
        return fewer

    def best(self, share: float) -> "Replay":
        """That share of every task's trials, those with the highest sums of rewards; at least one each."""
        steps = torch.arange(self.length) < self.lengths.unsqueeze(-1)
        returns = (self.kept["reward"] * steps).sum(-1)  # [N, trials]
        returns = returns.where(torch.arange(self.room) < self.lived.unsqueeze(1), -torch.inf)
        count = max(1, round(share * self.room))
        lived = (share * self.lived).round().long().clamp(min=1, max=count)
        return self.taken(torch.arange(len(self.lived)), returns.topk(count, dim=1).indices, lived)

    def taken(self, which: Tensor, place: Tensor, lived: Tensor) -> "Replay":
        """Trials of some tasks by where they are kept, [B, n], of which the first `lived` are there."""
        chosen = Replay(place.shape[1], self.length, self.families[which], self.shaped)
        rows = which.unsqueeze(1)
        chosen.lived, chosen.tasks, chosen.shown = lived, self.tasks[which], self.shown
        chosen.lengths = self.lengths[rows, place] * (torch.arange(chosen.room) < lived.unsqueeze(1))
        chosen.kept = {name: values[rows, place] for name, values in self.kept.items()}
        return chosen

    def some_trials(self, which: Tensor, count: int, rng: Generator) -> "Replay":
        """So many different trials of some tasks."""
        there = torch.arange(self.room) < self.lived[which].unsqueeze(1)
        order = torch.rand(there.shape, generator=rng).where(there, 2.0)
        return self.taken(which, order.argsort(1)[:, :count], self.lived[which].clamp(max=count))

    def some(self, count: int, rng: Generator) -> "Replay":
        """So many different transitions of every task and no others, a trial each."""
        there = (torch.arange(self.length) < self.lengths.unsqueeze(-1)).flatten(1)
        order = torch.rand(there.shape, generator=rng).where(there, 2.0).argsort(1)[:, :count]
        rows = torch.arange(len(order)).unsqueeze(1)
        few = Replay(count, 1, self.families, self.shaped)
        few.lived, few.tasks, few.shown = torch.full_like(self.lived, count), self.tasks, self.shown
        few.lengths += 1
        few.kept = {name: values.flatten(1, 2)[rows, order, None] for name, values in self.kept.items()}
        return few

    def with_trials_of(self, other: "Replay") -> "Replay":
        """Trials of both, of the same tasks."""
        both = Replay(self.room + other.room, self.length, self.families)
        both.tasks, both.lived = self.tasks, self.lived + other.lived
        order = torch.cat(
            [torch.arange(kept.room) >= kept.lived.unsqueeze(1) for kept in (self, other)], dim=1
        ).long()
        order = order.argsort(dim=1, stable=True)  # those that are there first
        rows = torch.arange(len(order)).unsqueeze(1)
        both.lengths = torch.cat([self.lengths, other.lengths], dim=1)[rows, order]
        both.kept = {
            name: torch.cat([values, other.kept[name]], dim=1)[rows, order]
            for name, values in self.kept.items()
        }
        return both

    def demonstrated(self) -> "Replay":
        """The same as demonstrations, without what they paid."""
        silent = self.only(torch.arange(len(self.lived)))
        silent.shown = True
        silent.kept |= {name: torch.zeros_like(self.kept[name]) for name in ("reward", "learned")}
        return silent

    def whole(self) -> Batch:
        """All transitions of all tasks, with room between them that does not count."""
        counts = torch.arange(self.length) < self.lengths.unsqueeze(-1)
        kept = {name: values.flatten(1, 2) for name, values in self.kept.items()}
        there = counts.flatten(1).float()
        shown = there * self.shown
        return Batch(**kept, counts=there, task=self.tasks, family=self.families, shown=shown)

    def steps(self, which: Tensor, count: int, rng: Generator) -> Batch:
        """So many transitions of each task, each of its kept ones with equal chance."""
        return self.at(which, *self.places(which, count, rng))

    def places(self, which: Tensor, count: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """The same by where they are kept: in which trial, [B, T], and which of its steps, [B, T]."""
        ends = self.lengths[which].cumsum(1)  # [B, trials]
        drawn = (torch.rand(len(which), count, generator=rng) * ends[:, -1:]).long()
        place = torch.searchsorted(ends, drawn, right=True)
        return place, drawn - (ends - self.lengths[which]).gather(1, place)

    def segments(self, which: Tensor, length: int, rng: Generator) -> Segment:
        """So many consecutive steps of one trial of each task, which begin at a multiple of that many."""
        place = some_steps(self.lived[which].clamp(max=self.room), 1, rng)  # [B, 1]
        lengths = self.lengths[which].gather(1, place)
        first = length * some_steps((lengths.squeeze(1) + length - 1) // length, 1, rng)
        steps = first + torch.arange(length)
        batch = self.at(which, place.expand_as(steps), steps.clamp(max=self.length - 1))
        batch = replace(batch, counts=(steps < lengths).float())
        before = self.at(which, place, (first - 1).clamp(min=0))
        inside = (first > 0).float()
        last = steps[:, -1:].minimum(lengths - 1)
        over = last == lengths - 1
        led, then = (self.at(which, place, at) for at in (last, (last + 1).clamp(max=self.length - 1)))
        return Segment(
            batch,
            action=before.action[:, 0] * inside,
            reward=(before.reward * inside)[:, 0],
            done=(before.done * inside)[:, 0],
            seen=led.after[:, 0].where(over, then.obs[:, 0]),
            over=over[:, 0].float(),
            memory=self.memory[which, place[:, 0], first[:, 0] // length] if self.memory.numel() else None,
        )

    def evidence(self, which: Tensor, count: int, episodes: int, recent: int, rng: Generator) -> Batch:
        """So many transitions a task, of the first `episodes` episodes of its `recent` newest trials."""
        ago = some_steps(self.lived[which].clamp(max=min(recent, self.room)), count, rng)
        place = (self.lived[which].unsqueeze(1) - 1 - ago) % self.room
        step = some_steps(self._before(which, episodes).gather(1, place), 1, rng)
        return self.at(which, place, step.squeeze(-1))

    def _before(self, which: Tensor, episodes: int) -> Tensor:
        """Steps of every kept trial's first episodes that count, [B, trials]."""
        ended = self.kept["done"][which].cumsum(2) >= episodes
        last = ended.long().argmax(2) + 1
        return last.where(ended.any(2), ended.shape[2]).minimum(self.lengths[which])

    def state(self) -> dict[str, Any]:
        """All that is kept, without the room that is still empty."""
        used = int(self.lived.max().clamp(max=self.room))
        return {
            "kept": {name: values[:, :used].clone() for name, values in self.kept.items()},
            "memory": self.memory[:, :used].clone(),
            "lived": self.lived.clone(),
            "lengths": self.lengths.clone(),
            "tasks": self.tasks,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.lived, self.lengths, self.tasks = state["lived"], state["lengths"], state["tasks"]
        self.kept = {name: self._roomy(values) for name, values in state["kept"].items()}
        self.memory = self._roomy(state["memory"])

    def _make_room(self, rows: dict[str, Tensor], trial: Trial) -> None:
        tasks = len(self.families)
        self.kept = {
            name: values.new_zeros(tasks, self.room, self.length, *values.shape[2:])
            for name, values in rows.items()
        }
        self.tasks = trial.task.new_zeros(tasks, trial.task.shape[1])
        if trial.memory is not None:
            every = -(-trial.obs.shape[1] // trial.memory.shape[1])
            moments = -(-self.length // every)
            self.memory = trial.memory.new_zeros(tasks, self.room, moments, trial.memory.shape[2])

    def _roomy(self, kept: Tensor) -> Tensor:
        """With room for trials that are still to come."""
        if not kept.numel():
            return kept
        whole = kept.new_zeros(len(kept), self.room, *kept.shape[2:])
        whole[:, : kept.shape[1]] = kept
        return whole

    def at(self, which: Tensor, place: Tensor, step: Tensor) -> Batch:
        """Steps by where they are kept, [B, T] each."""
        row = ((which.unsqueeze(1) * self.room + place) * self.length + step).flatten()
        chosen = {
            name: values.flatten(0, 2).index_select(0, row).view(*step.shape, *values.shape[3:])
            for name, values in self.kept.items()
        }
        return Batch(
            **chosen,
            counts=torch.ones_like(chosen["reward"]),
            task=self.tasks[which],
            family=self.families[which],
            shown=torch.full_like(chosen["reward"], self.shown),
        )


def some_steps(lengths: Tensor, count: int, rng: Generator) -> Tensor:
    """So many steps of each, [..., count], any of the first `lengths`, [...]."""
    return (torch.rand(*lengths.shape, count, generator=rng) * lengths.unsqueeze(-1)).long()
