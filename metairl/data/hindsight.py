"""Logs of tasks that ask to arrive somewhere, without their reward, with goals that are chosen in hindsight.

    j   = t                                        with chance p_here
        = min(t + k, T − 1),  P(k) = (1 − d) dᵏ    with chance p_later; evenly from t … T − 1 where `evenly`
        = any step of any trial of any task        else
    g   = φ(o′_j),  c = the task that asks for g   φ of the world, see metairl/envs/goal_spec.py
    r_t = w [ |φ(o′_t) − g| ≤ ε ],                 and nothing follows where that is so

o′_t is what step t of a trial of T steps led to. No reward that was logged is read.
"""

from dataclasses import dataclass, field, replace
from math import log

import torch
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.types import Batch, GoalSpec
from metairl.data.offline_dataset import OfflineDataset
from metairl.envs.goal_spec import goal_of
from metairl.tasks.cards import TaskCard


@dataclass(frozen=True)
class GoalSampling:
    here: float = 0.2  # p_here
    later: float = 0.5  # p_later; the rest are goals of others
    decay: float = 0.95  # d
    evenly: bool = False  # later goals are drawn evenly
    near: float | None = None  # ε; None: the world's own
    worth: float = 1.0  # w

    def __post_init__(self) -> None:
        if min(self.here, self.later) < 0 or self.here + self.later > 1:
            raise UsageError(f"goals.here {self.here} and goals.later {self.later} are no shares of a whole")
        if not 0 < self.decay < 1:
            raise UsageError(f"goals.decay must lie between 0 and 1, not {self.decay}")
        if self.near is not None and self.near < 0:
            raise UsageError(f"goals.near must be 0 or more, not {self.near}")


@dataclass(frozen=True)
class RelabelledDataset(OfflineDataset):
    goal: GoalSpec = field(kw_only=True)

    def relabelled(self, which: Tensor, count: int, choice: GoalSampling, rng: Generator) -> Batch:
        """So many transitions of each of these tasks, a row each, [B · count, 1], with a goal of its own."""
        place, step = self.replay.sample_indices(which, count, rng)
        rows = _a_row_each(self.replay.at(which, place, step))
        goal = self.chosen(which, place, step, choice, rng).flatten(0, 1)
        near = self.goal.near if choice.near is None else choice.near
        away = (self.goal.achieved(rows.next_obs) - goal.unsqueeze(1)).norm(dim=-1)  # [B · count, 1]
        there = (away <= near).float()
        return replace(
            rows,
            task=self.goal.told(rows.task, goal),
            reward=choice.worth * there,
            training_reward=choice.worth * there,
            terminated=rows.terminated.maximum(there),
        )

    def chosen(
        self, which: Tensor, place: Tensor, step: Tensor, choice: GoalSampling, rng: Generator
    ) -> Tensor:
        """A goal for each of these steps, [B, count, G]."""
        turn = torch.rand(step.shape, generator=rng)
        then = self._later(which, place, step, choice, rng)
        then = step.where(turn < choice.here, then)
        own = self._led_to(which.unsqueeze(1), place, then)
        ours = (turn < choice.here + choice.later).unsqueeze(-1)
        return own.where(ours, self._anywhere(step.shape, rng))

    def _later(
        self, which: Tensor, place: Tensor, step: Tensor, choice: GoalSampling, rng: Generator
    ) -> Tensor:
        """Steps of the same trials, none before its own."""
        left = self.replay.lengths[which].gather(1, place) - step  # itself among them
        drawn = torch.rand(step.shape, generator=rng)
        if choice.evenly:
            return step + (drawn * left).long()
        wait = ((1 - drawn).log() / log(choice.decay)).long()
        return step + wait.minimum(left - 1)

    def _anywhere(self, shape: torch.Size, rng: Generator) -> Tensor:
        """Goals of any steps, [*shape, G]."""
        which = torch.randint(len(self), (shape.numel(),), generator=rng)
        place, step = self.replay.sample_indices(which, 1, rng)
        return self._led_to(which.unsqueeze(1), place, step).view(*shape, -1)

    def _led_to(self, which: Tensor, place: Tensor, step: Tensor) -> Tensor:
        return self.goal.achieved(self.replay.data["next_obs"][which, place, step])


def without_reward(found: OfflineDataset, card: TaskCard) -> RelabelledDataset:
    """The same logs of a card whose tasks ask for goals, which no reward can be read from."""
    goal = goal_of(card)
    assert goal, "refused before"
    silent = found.replay.demonstrated()
    silent.is_demo = False
    return RelabelledDataset(silent, found.sha256, goal=goal)


def _a_row_each(batch: Batch) -> Batch:
    """Transitions of B tasks, T of each, as one of each of B · T."""
    count = batch.mask.shape[1]
    rows = {name: x.flatten(0, 1).unsqueeze(1) for name, x in vars(batch).items() if name not in PER_TASK}
    told = {name: getattr(batch, name).repeat_interleave(count, 0) for name in PER_TASK}
    return Batch(**rows, **told)


PER_TASK = ("task", "family")
