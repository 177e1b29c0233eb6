"""Hindsight relabelling of logged transitions (Andrychowicz et al. 2017, HER, arXiv:1707.01495).

    j   = t                                        with probability p_current
        = min(t + k, T − 1),  P(k) = (1 − d) dᵏ    with probability p_future; uniform on t … T − 1 if `uniform`
        = any step of any trial of any task        otherwise
    g   = φ(o′_j),  c = the task whose goal is g   φ of the environment, see metairl/envs/goal_spec.py
    r_t = w [ |φ(o′_t) − g| ≤ ε ],                 and the transition is terminal where the goal is reached

o′_t is the next observation of step t in a trial of T steps. Logged rewards are not read.
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

OF_TASKS = ("task", "family")  # fields of a batch that have no time axis


@dataclass(frozen=True)
class GoalSampling:
    p_current: float = 0.2  # share of goals that the transition itself reaches (p_current)
    p_future: float = (
        0.5  # share of goals reached later in the same trial (p_future); the rest are of any trial
    )
    decay: float = 0.95  # of the geometric distribution of future goals (d)
    uniform: bool = False  # sample future goals uniformly
    radius: float | None = None  # distance at which a goal is reached (ε); none: the environment's own
    reward: float = 1.0  # of reaching a goal (w)

    def __post_init__(self) -> None:
        if min(self.p_current, self.p_future) < 0 or self.p_current + self.p_future > 1:
            raise UsageError(
                f"goals.p_current and goals.p_future must be shares that add up to 1 at most, "
                f"got {self.p_current} and {self.p_future}"
            )
        if not 0 < self.decay < 1:
            raise UsageError(f"goals.decay must be in (0, 1), got {self.decay}")
        if self.radius is not None and self.radius < 0:
            raise UsageError(f"goals.radius must be 0 or more, got {self.radius}")


@dataclass(frozen=True)
class RelabelledDataset(OfflineDataset):
    goal: GoalSpec = field(kw_only=True)

    def sample_relabelled(self, which: Tensor, count: int, sampling: GoalSampling, rng: Generator) -> Batch:
        """So many transitions of each of these tasks, one a row, [B · count, 1], each with a goal of its own."""
        slot, step = self.replay.sample_indices(which, count, rng)
        rows = _one_a_row(self.replay.gather(which, slot, step))
        goal = self.sample_goals(which, slot, step, sampling, rng).flatten(0, 1)
        radius = self.goal.radius if sampling.radius is None else sampling.radius
        distance = (self.goal.achieved(rows.next_obs) - goal.unsqueeze(1)).norm(dim=-1)  # [B · count, 1]
        reached = (distance <= radius).float()
        return replace(
            rows,
            task=self.goal.with_goal(rows.task, goal),
            reward=sampling.reward * reached,
            training_reward=sampling.reward * reached,
            terminated=rows.terminated.maximum(reached),
        )

    def sample_goals(
        self, which: Tensor, slot: Tensor, step: Tensor, sampling: GoalSampling, rng: Generator
    ) -> Tensor:
        """A goal for each of these steps, [B, count, G]."""
        u = torch.rand(step.shape, generator=rng)
        goal_step = self._future_steps(which, slot, step, sampling, rng)
        goal_step = step.where(u < sampling.p_current, goal_step)
        of_trial = self._achieved(which.unsqueeze(1), slot, goal_step)
        is_own = (u < sampling.p_current + sampling.p_future).unsqueeze(-1)
        return of_trial.where(is_own, self._random_goals(step.shape, rng))

    def _future_steps(
        self, which: Tensor, slot: Tensor, step: Tensor, sampling: GoalSampling, rng: Generator
    ) -> Tensor:
        """Steps of the same trials, at or after the given ones."""
        left = self.replay.lengths[which].gather(1, slot) - step  # the step itself included
        u = torch.rand(step.shape, generator=rng)
        if sampling.uniform:
            return step + (u * left).long()
        wait = ((1 - u).log() / log(sampling.decay)).long()
        return step + wait.minimum(left - 1)

    def _random_goals(self, shape: torch.Size, rng: Generator) -> Tensor:
        """Goals reached by any step of any trial, [*shape, G]."""
        which = torch.randint(len(self), (shape.numel(),), generator=rng)
        slot, step = self.replay.sample_indices(which, 1, rng)
        return self._achieved(which.unsqueeze(1), slot, step).view(*shape, -1)

    def _achieved(self, which: Tensor, slot: Tensor, step: Tensor) -> Tensor:
        return self.goal.achieved(self.replay.data["next_obs"][which, slot, step])


def without_reward(dataset: OfflineDataset, card: TaskCard) -> RelabelledDataset:
    """The same data for relabelling; its rewards are zeroed."""
    goal = goal_of(card)
    assert goal, "checked by the method's requirements"
    return RelabelledDataset(dataset.replay.without_reward(is_demo=False), dataset.sha256, goal=goal)


def _one_a_row(batch: Batch) -> Batch:
    """[B, T] transitions as [B · T, 1]."""
    count = batch.mask.shape[1]
    rows = {name: x.flatten(0, 1).unsqueeze(1) for name, x in vars(batch).items() if name not in OF_TASKS}
    of_tasks = {name: getattr(batch, name).repeat_interleave(count, 0) for name in OF_TASKS}
    return Batch(**rows, **of_tasks)
