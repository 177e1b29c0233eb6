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
    is_demo = False  # what is kept was demonstrated, and what it paid is not known

    def __init__(self, trials: int, length: int, families: Tensor, shaped: bool = False):
        """Of so many trials a task, of so many steps; which of the families each task belongs to, [N]."""
        self.capacity = trials
        self.length = length  # T
        self.shaped = shaped  # values are of the world's shaped reward
        self.families = families
        self.num_trials = torch.zeros(len(families), dtype=torch.long)  # trials of each task so far
        self.lengths = torch.zeros(len(families), trials, dtype=torch.long)  # steps that count
        self.tasks = torch.empty(0)  # [N, P]
        self.data: dict[str, Tensor] = {}  # each [N, trials, T, …]
        self.memory = torch.empty(
            len(families), 0
        )  # [N, trials, S, M], what acting remembered where segments begin

    def add(self, which: Tensor, trial: Trial) -> None:
        """One trial of each of these different tasks, [B]."""
        assert trial.next_obs is not None, "a replay needs what each step led to"
        came = trial.outcome
        rows = {
            "obs": trial.obs,
            "action": encode_action(trial.action, trial.actions),
            "reward": came.reward,
            "training_reward": self._learned(trial),
            "next_obs": trial.next_obs,
            "done": came.done.float(),
            "terminated": came.terminated.float(),
        }
        if not self.data:
            self._make_room(rows, trial)
        place = self.num_trials[which] % self.capacity
        for name, values in rows.items():
            self.data[name][which, place, : values.shape[1]] = values  # shorter where all lanes ended early
        if trial.memory is not None:
            self.memory[which, place, : trial.memory.shape[1]] = trial.memory
        self.tasks[which] = trial.task
        self.lengths[which, place] = came.mask.sum(1)
        self.num_trials[which] += 1

    def _learned(self, trial: Trial) -> Tensor:
        if not self.shaped:
            return trial.outcome.reward
        assert trial.shaped is not None, "this world has no shaped reward"
        return trial.shaped

    def select(self, which: Tensor) -> "Replay":
        """The same of fewer tasks."""
        fewer = Replay(self.capacity, self.length, self.families[which], self.shaped)
        fewer.num_trials, fewer.lengths, fewer.tasks = (
            self.num_trials[which],
            self.lengths[which],
            self.tasks[which],
        )
        fewer.data = {name: values[which] for name, values in self.data.items()}
        fewer.memory, fewer.is_demo = self.memory[which], self.is_demo
        return fewer

    def best(self, share: float) -> "Replay":
        """That share of every task's trials, those with the highest sums of rewards; at least one each."""
        steps = torch.arange(self.length) < self.lengths.unsqueeze(-1)
        returns = (self.data["reward"] * steps).sum(-1)  # [N, trials]
        returns = returns.where(torch.arange(self.capacity) < self.num_trials.unsqueeze(1), -torch.inf)
        count = max(1, round(share * self.capacity))
        num_trials = (share * self.num_trials).round().long().clamp(min=1, max=count)
        return self.select_trials(
            torch.arange(len(self.num_trials)), returns.topk(count, dim=1).indices, num_trials
        )

    def select_trials(self, which: Tensor, place: Tensor, num_trials: Tensor) -> "Replay":
        """Trials of some tasks by where they are kept, [B, n], of which the first `lived` are there."""
        chosen = Replay(place.shape[1], self.length, self.families[which], self.shaped)
        rows = which.unsqueeze(1)
        chosen.num_trials, chosen.tasks, chosen.is_demo = num_trials, self.tasks[which], self.is_demo
        chosen.lengths = self.lengths[rows, place] * (torch.arange(chosen.capacity) < num_trials.unsqueeze(1))
        chosen.data = {name: values[rows, place] for name, values in self.data.items()}
        return chosen

    def sample_trials(self, which: Tensor, count: int, rng: Generator) -> "Replay":
        """So many different trials of some tasks."""
        there = torch.arange(self.capacity) < self.num_trials[which].unsqueeze(1)
        order = torch.rand(there.shape, generator=rng).where(there, 2.0)
        return self.select_trials(which, order.argsort(1)[:, :count], self.num_trials[which].clamp(max=count))

    def some(self, count: int, rng: Generator) -> "Replay":
        """So many different transitions of every task and no others, a trial each."""
        there = (torch.arange(self.length) < self.lengths.unsqueeze(-1)).flatten(1)
        order = torch.rand(there.shape, generator=rng).where(there, 2.0).argsort(1)[:, :count]
        rows = torch.arange(len(order)).unsqueeze(1)
        few = Replay(count, 1, self.families, self.shaped)
        few.num_trials, few.tasks, few.is_demo = (
            torch.full_like(self.num_trials, count),
            self.tasks,
            self.is_demo,
        )
        few.lengths += 1
        few.data = {name: values.flatten(1, 2)[rows, order, None] for name, values in self.data.items()}
        return few

    def with_trials_of(self, other: "Replay") -> "Replay":
        """Trials of both, of the same tasks."""
        both = Replay(self.capacity + other.capacity, self.length, self.families)
        both.tasks, both.num_trials = self.tasks, self.num_trials + other.num_trials
        order = torch.cat(
            [torch.arange(kept.capacity) >= kept.num_trials.unsqueeze(1) for kept in (self, other)], dim=1
        ).long()
        order = order.argsort(dim=1, stable=True)  # those that are there first
        rows = torch.arange(len(order)).unsqueeze(1)
        both.lengths = torch.cat([self.lengths, other.lengths], dim=1)[rows, order]
        both.data = {
            name: torch.cat([values, other.data[name]], dim=1)[rows, order]
            for name, values in self.data.items()
        }
        return both

    def demonstrated(self) -> "Replay":
        """The same as demonstrations, without what they paid."""
        silent = self.select(torch.arange(len(self.num_trials)))
        silent.is_demo = True
        silent.data |= {name: torch.zeros_like(self.data[name]) for name in ("reward", "training_reward")}
        return silent

    def all_transitions(self) -> Batch:
        """All transitions of all tasks, with room between them that does not count."""
        mask = torch.arange(self.length) < self.lengths.unsqueeze(-1)
        kept = {name: values.flatten(1, 2) for name, values in self.data.items()}
        there = mask.flatten(1).float()
        is_demo = there * self.is_demo
        return Batch(**kept, mask=there, task=self.tasks, family=self.families, is_demo=is_demo)

    def sample_transitions(self, which: Tensor, count: int, rng: Generator) -> Batch:
        """So many transitions of each task, each of its kept ones with equal chance."""
        return self.at(which, *self.sample_indices(which, count, rng))

    def sample_indices(self, which: Tensor, count: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """The same by where they are kept: in which trial, [B, T], and which of its steps, [B, T]."""
        ends = self.lengths[which].cumsum(1)  # [B, trials]
        drawn = (torch.rand(len(which), count, generator=rng) * ends[:, -1:]).long()
        place = torch.searchsorted(ends, drawn, right=True)
        return place, drawn - (ends - self.lengths[which]).gather(1, place)

    def sample_segments(self, which: Tensor, length: int, rng: Generator) -> Segment:
        """So many consecutive steps of one trial of each task, which begin at a multiple of that many."""
        place = some_steps(self.num_trials[which].clamp(max=self.capacity), 1, rng)  # [B, 1]
        lengths = self.lengths[which].gather(1, place)
        first = length * some_steps((lengths.squeeze(1) + length - 1) // length, 1, rng)
        steps = first + torch.arange(length)
        batch = self.at(which, place.expand_as(steps), steps.clamp(max=self.length - 1))
        batch = replace(batch, mask=(steps < lengths).float())
        before = self.at(which, place, (first - 1).clamp(min=0))
        inside = (first > 0).float()
        last = steps[:, -1:].minimum(lengths - 1)
        trial_over = last == lengths - 1
        led, then = (self.at(which, place, at) for at in (last, (last + 1).clamp(max=self.length - 1)))
        return Segment(
            batch,
            action=before.action[:, 0] * inside,
            reward=(before.reward * inside)[:, 0],
            done=(before.done * inside)[:, 0],
            bootstrap_obs=led.next_obs[:, 0].where(trial_over, then.obs[:, 0]),
            trial_over=trial_over[:, 0].float(),
            memory=self.memory[which, place[:, 0], first[:, 0] // length] if self.memory.numel() else None,
        )

    def sample_context(self, which: Tensor, count: int, episodes: int, recent: int, rng: Generator) -> Batch:
        """So many transitions a task, of the first `episodes` episodes of its `recent` newest trials."""
        ago = some_steps(self.num_trials[which].clamp(max=min(recent, self.capacity)), count, rng)
        place = (self.num_trials[which].unsqueeze(1) - 1 - ago) % self.capacity
        step = some_steps(self._before(which, episodes).gather(1, place), 1, rng)
        return self.at(which, place, step.squeeze(-1))

    def _before(self, which: Tensor, episodes: int) -> Tensor:
        """Steps of every kept trial's first episodes that count, [B, trials]."""
        ended = self.data["done"][which].cumsum(2) >= episodes
        last = ended.long().argmax(2) + 1
        return last.where(ended.any(2), ended.shape[2]).minimum(self.lengths[which])

    def state(self) -> dict[str, Any]:
        """All that is kept, without the room that is still empty."""
        used = int(self.num_trials.max().clamp(max=self.capacity))
        return {
            "data": {name: values[:, :used].clone() for name, values in self.data.items()},
            "memory": self.memory[:, :used].clone(),
            "num_trials": self.num_trials.clone(),
            "lengths": self.lengths.clone(),
            "tasks": self.tasks,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.num_trials, self.lengths, self.tasks = state["num_trials"], state["lengths"], state["tasks"]
        self.data = {name: self._roomy(values) for name, values in state["data"].items()}
        self.memory = self._roomy(state["memory"])

    def _make_room(self, rows: dict[str, Tensor], trial: Trial) -> None:
        tasks = len(self.families)
        self.data = {
            name: values.new_zeros(tasks, self.capacity, self.length, *values.shape[2:])
            for name, values in rows.items()
        }
        self.tasks = trial.task.new_zeros(tasks, trial.task.shape[1])
        if trial.memory is not None:
            every = -(-trial.obs.shape[1] // trial.memory.shape[1])
            moments = -(-self.length // every)
            self.memory = trial.memory.new_zeros(tasks, self.capacity, moments, trial.memory.shape[2])

    def _roomy(self, kept: Tensor) -> Tensor:
        """With room for trials that are still to come."""
        if not kept.numel():
            return kept
        whole = kept.new_zeros(len(kept), self.capacity, *kept.shape[2:])
        whole[:, : kept.shape[1]] = kept
        return whole

    def at(self, which: Tensor, place: Tensor, step: Tensor) -> Batch:
        """Steps by where they are kept, [B, T] each."""
        row = ((which.unsqueeze(1) * self.capacity + place) * self.length + step).flatten()
        chosen = {
            name: values.flatten(0, 2).index_select(0, row).view(*step.shape, *values.shape[3:])
            for name, values in self.data.items()
        }
        return Batch(
            **chosen,
            mask=torch.ones_like(chosen["reward"]),
            task=self.tasks[which],
            family=self.families[which],
            is_demo=torch.full_like(chosen["reward"], self.is_demo),
        )


def some_steps(lengths: Tensor, count: int, rng: Generator) -> Tensor:
    """So many steps of each, [..., count], any of the first `lengths`, [...]."""
    return (torch.rand(*lengths.shape, count, generator=rng) * lengths.unsqueeze(-1)).long()
