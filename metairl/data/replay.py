"""A replay buffer of whole trials for each task; the oldest trial of a task is overwritten first.

| what is sampled | returns | for |
|---|---|---|
| sample_transitions | transitions, uniform over the stored ones | losses; encoders without a past |
| sample_segments | consecutive steps of one trial a task | encoders of sequences |
| sample_context | transitions of the newest trials, of their first episodes | set encoders |
| sample_trials | whole trials, as a replay of their own | demonstrations |
| sample_distinct | transitions without repetition, as a replay of their own | labelled data |
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from metairl.core.types import Batch, Segment, Trial, encode_action


class Replay:
    def __init__(
        self, trials: int, length: int, families: Tensor, shaped: bool = False, is_demo: bool = False
    ):
        """Empty, with room for so many trials of each task.

        `families`: the skill of each task, [N]. `shaped`: values are trained on the environment's shaped reward.
        `is_demo`: its transitions are marked as demonstrations.
        """
        self.capacity = trials
        self.length = length  # T
        self.shaped = shaped
        self.is_demo = is_demo
        self.families = families
        self.num_trials = torch.zeros(len(families), dtype=torch.long)  # added for each task so far
        self.lengths = torch.zeros(len(families), trials, dtype=torch.long)  # steps of each stored trial
        self.tasks = torch.empty(0)  # [N, P]
        self.data: dict[str, Tensor] = {}  # each [N, trials, T, …]
        self.memory = torch.empty(len(families), 0)  # [N, trials, S, M], policy state at segment starts

    @classmethod
    def filled(
        cls,
        data: dict[str, Tensor],
        lengths: Tensor,
        tasks: Tensor,
        families: Tensor | None = None,
        num_trials: Tensor | None = None,
        **flags: bool,
    ) -> "Replay":
        """Holding these trials: data [N, trials, T, …], lengths [N, trials], tasks [N, P].

        By default all trials whose length is above 0 are there, and tasks are of one family.
        """
        steps = next(iter(data.values())).shape[2]
        families = torch.zeros(len(tasks), dtype=torch.long) if families is None else families
        made = cls(lengths.shape[1], steps, families, **flags)
        made.data, made.lengths, made.tasks = data, lengths, tasks
        made.num_trials = (lengths > 0).sum(1) if num_trials is None else num_trials
        return made

    def add(self, which: Tensor, trial: Trial) -> None:
        """One trial of each of these different tasks, [B]."""
        assert trial.next_obs is not None, "rolled out with next observations"
        outcome = trial.outcome
        columns = {
            "obs": trial.obs,
            "action": encode_action(trial.action, trial.actions),
            "reward": outcome.reward,
            "training_reward": self._training_reward(trial),
            "next_obs": trial.next_obs,
            "done": outcome.done.float(),
            "terminated": outcome.terminated.float(),
        }
        if not self.data:
            self._allocate(columns, trial)
        slot = self.num_trials[which] % self.capacity
        for name, values in columns.items():
            self.data[name][which, slot, : values.shape[1]] = values  # shorter where all lanes ended early
        if trial.memory is not None:
            self.memory[which, slot, : trial.memory.shape[1]] = trial.memory
        self.tasks[which] = trial.task
        self.lengths[which, slot] = outcome.mask.sum(1)
        self.num_trials[which] += 1

    def _training_reward(self, trial: Trial) -> Tensor:
        if not self.shaped:
            return trial.outcome.reward
        assert trial.shaped is not None, "checked by the method's requirements"
        return trial.shaped

    # Parts of it, as replays of their own

    def select(self, which: Tensor) -> "Replay":
        """The trials of some tasks."""
        data = {name: values[which] for name, values in self.data.items()}
        fewer = self._like(data, self.lengths[which], which, self.num_trials[which])
        fewer.memory = self.memory[which]
        return fewer

    def select_trials(self, which: Tensor, slots: Tensor, num_trials: Tensor) -> "Replay":
        """Trials of some tasks by their slots, [B, n], of which the first `num_trials` are there."""
        rows = which.unsqueeze(1)
        there = torch.arange(slots.shape[1]) < num_trials.unsqueeze(1)
        data = {name: values[rows, slots] for name, values in self.data.items()}
        return self._like(data, self.lengths[rows, slots] * there, which, num_trials)

    def best_trials(self, share: float) -> "Replay":
        """That share of every task's trials, those with the highest returns; at least one each."""
        steps = torch.arange(self.length) < self.lengths.unsqueeze(-1)
        returns = (self.data["reward"] * steps).sum(-1)  # [N, trials]
        returns = returns.where(torch.arange(self.capacity) < self.num_trials.unsqueeze(1), -torch.inf)
        count = max(1, round(share * self.capacity))
        num_trials = (share * self.num_trials).round().long().clamp(min=1, max=count)
        every = torch.arange(len(self.num_trials))
        return self.select_trials(every, returns.topk(count, dim=1).indices, num_trials)

    def sample_trials(self, which: Tensor, count: int, rng: Generator) -> "Replay":
        """So many different trials of some tasks."""
        there = torch.arange(self.capacity) < self.num_trials[which].unsqueeze(1)
        order = torch.rand(there.shape, generator=rng).where(there, 2.0)
        num_trials = self.num_trials[which].clamp(max=count)
        return self.select_trials(which, order.argsort(1)[:, :count], num_trials)

    def sample_distinct(self, count: int, rng: Generator) -> "Replay":
        """So many different transitions of every task, each as a trial of one step."""
        there = (torch.arange(self.length) < self.lengths.unsqueeze(-1)).flatten(1)
        order = torch.rand(there.shape, generator=rng).where(there, 2.0).argsort(1)[:, :count]
        rows = torch.arange(len(order)).unsqueeze(1)
        data = {name: values.flatten(1, 2)[rows, order, None] for name, values in self.data.items()}
        every = torch.arange(len(order))
        num_trials = torch.full_like(self.num_trials, count)
        return self._like(data, torch.ones_like(order), every, num_trials)

    def merged_with(self, other: "Replay") -> "Replay":
        """Trials of both, of the same tasks, not marked as demonstrations."""
        there = [torch.arange(r.capacity) >= r.num_trials.unsqueeze(1) for r in (self, other)]
        order = torch.cat(there, dim=1).long().argsort(dim=1, stable=True)  # stored ones first
        rows = torch.arange(len(order)).unsqueeze(1)
        return Replay.filled(
            {
                name: torch.cat([values, other.data[name]], dim=1)[rows, order]
                for name, values in self.data.items()
            },
            torch.cat([self.lengths, other.lengths], dim=1)[rows, order],
            self.tasks,
            self.families,
            self.num_trials + other.num_trials,
        )

    def without_reward(self, is_demo: bool) -> "Replay":
        """A copy whose rewards are zero, marked as demonstrations or not."""
        copy = self.select(torch.arange(len(self.num_trials)))
        copy.is_demo = is_demo
        copy.data |= {name: torch.zeros_like(self.data[name]) for name in ("reward", "training_reward")}
        return copy

    def _like(self, data: dict[str, Tensor], lengths: Tensor, which: Tensor, num_trials: Tensor) -> "Replay":
        """Other trials of some of these tasks, with the same flags."""
        flags = {"shaped": self.shaped, "is_demo": self.is_demo}
        if not data:  # nothing has been added yet
            return Replay(self.capacity, self.length, self.families[which], **flags)
        return Replay.filled(data, lengths, self.tasks[which], self.families[which], num_trials, **flags)

    # Batches

    def all_transitions(self) -> Batch:
        """All transitions of all tasks, [N, trials · T], masked where there is none."""
        there = (torch.arange(self.length) < self.lengths.unsqueeze(-1)).flatten(1).float()
        data = {name: values.flatten(1, 2) for name, values in self.data.items()}
        return Batch(**data, mask=there, task=self.tasks, family=self.families, is_demo=there * self.is_demo)

    def sample_transitions(self, which: Tensor, count: int, rng: Generator) -> Batch:
        """So many transitions of each task, uniform over its stored ones."""
        return self.gather(which, *self.sample_indices(which, count, rng))

    def sample_indices(self, which: Tensor, count: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """The same by their indices: slot of the trial, [B, T], and step in it, [B, T]."""
        ends = self.lengths[which].cumsum(1)  # [B, trials]
        drawn = (torch.rand(len(which), count, generator=rng) * ends[:, -1:]).long()
        slot = torch.searchsorted(ends, drawn, right=True)
        return slot, drawn - (ends - self.lengths[which]).gather(1, slot)

    def sample_segments(self, which: Tensor, length: int, rng: Generator) -> Segment:
        """So many consecutive steps of one trial of each task, starting at a multiple of that many."""
        slot = some_steps(self.num_trials[which].clamp(max=self.capacity), 1, rng)  # [B, 1]
        lengths = self.lengths[which].gather(1, slot)
        first = length * some_steps((lengths.squeeze(1) + length - 1) // length, 1, rng)
        steps = first + torch.arange(length)
        batch = self.gather(which, slot.expand_as(steps), steps.clamp(max=self.length - 1))
        batch = replace(batch, mask=(steps < lengths).float())
        before = self.gather(which, slot, (first - 1).clamp(min=0))
        inside = (first > 0).float()
        last = steps[:, -1:].minimum(lengths - 1)
        trial_over = last == lengths - 1
        final, following = (
            self.gather(which, slot, at) for at in (last, (last + 1).clamp(max=self.length - 1))
        )
        return Segment(
            batch,
            action=before.action[:, 0] * inside,
            reward=(before.reward * inside)[:, 0],
            done=(before.done * inside)[:, 0],
            bootstrap_obs=final.next_obs[:, 0].where(trial_over, following.obs[:, 0]),
            trial_over=trial_over[:, 0].float(),
            memory=self.memory[which, slot[:, 0], first[:, 0] // length] if self.memory.numel() else None,
        )

    def sample_context(self, which: Tensor, count: int, episodes: int, recent: int, rng: Generator) -> Batch:
        """So many transitions a task, of the first `episodes` episodes of its `recent` newest trials."""
        age = some_steps(self.num_trials[which].clamp(max=min(recent, self.capacity)), count, rng)
        slot = (self.num_trials[which].unsqueeze(1) - 1 - age) % self.capacity
        step = some_steps(self._steps_of_first(which, episodes).gather(1, slot), 1, rng)
        return self.gather(which, slot, step.squeeze(-1))

    def _steps_of_first(self, which: Tensor, episodes: int) -> Tensor:
        """Steps in the first episodes of every stored trial, [B, trials]."""
        ended = self.data["done"][which].cumsum(2) >= episodes
        last = ended.long().argmax(2) + 1
        return last.where(ended.any(2), ended.shape[2]).minimum(self.lengths[which])

    def gather(self, which: Tensor, slot: Tensor, step: Tensor) -> Batch:
        """Steps by their indices, [B, T] each."""
        row = ((which.unsqueeze(1) * self.capacity + slot) * self.length + step).flatten()
        data = {
            name: values.flatten(0, 2).index_select(0, row).view(*step.shape, *values.shape[3:])
            for name, values in self.data.items()
        }
        return Batch(
            **data,
            mask=torch.ones_like(data["reward"]),
            task=self.tasks[which],
            family=self.families[which],
            is_demo=torch.full_like(data["reward"], self.is_demo),
        )

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Everything stored, without slots that are still empty."""
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
        self.data = {name: self._with_empty_slots(values) for name, values in state["data"].items()}
        self.memory = self._with_empty_slots(state["memory"])

    def _allocate(self, columns: dict[str, Tensor], trial: Trial) -> None:
        tasks = len(self.families)
        self.data = {
            name: values.new_zeros(tasks, self.capacity, self.length, *values.shape[2:])
            for name, values in columns.items()
        }
        self.tasks = trial.task.new_zeros(tasks, trial.task.shape[1])
        if trial.memory is not None:
            every = -(-trial.obs.shape[1] // trial.memory.shape[1])
            moments = -(-self.length // every)
            self.memory = trial.memory.new_zeros(tasks, self.capacity, moments, trial.memory.shape[2])

    def _with_empty_slots(self, stored: Tensor) -> Tensor:
        if not stored.numel():
            return stored
        padded = stored.new_zeros(len(stored), self.capacity, *stored.shape[2:])
        padded[:, : stored.shape[1]] = stored
        return padded


def some_steps(lengths: Tensor, count: int, rng: Generator) -> Tensor:
    """So many indices below each length, [...] -> [..., count], uniform with repetition."""
    return (torch.rand(*lengths.shape, count, generator=rng) * lengths.unsqueeze(-1)).long()
