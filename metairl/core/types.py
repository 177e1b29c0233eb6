"""The words of the house, and the shapes of every tensor that crosses a room.

Axes: B lanes (one task each), T steps of a trial, H steps of an episode, K episodes of a trial,
O observation width, A number of actions (or width of a continuous one), Z embedding width,
P task-parameter width, N numbers of chance. A trial is K episodes on one task, T = K · H steps;
memory is kept between its episodes and cleared between tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

State = tuple[Tensor, ...]  # the memory of a policy, lanes first; threaded, never kept in self
Tasks = dict[str, Tensor]  # task parameters by name, tasks first: {"arm_means": [N, 5]}


@dataclass(frozen=True)
class Spec:
    """What a method is told about a world before it sees one."""

    obs: int  # O
    actions: int  # A
    discrete: bool
    horizon: int  # H
    episodes: int  # K
    params: int  # P
    picture: tuple[int, int, int] | None = None  # rows, columns, colours, where O is a picture of bytes
    skills: tuple[int, ...] = ()  # where among the parameters each skill of a card is marked, by 1 or 0
    chart: str | None = None  # of finite MDPs whose dynamics may be known: how they are made from parameters
    features: int = 0  # F, of a state on such a chart

    @property
    def steps(self) -> int:
        return self.horizon * self.episodes  # T

    @property
    def families(self) -> int:
        """Kinds of tasks that a card can tell apart by name: skills."""
        return max(1, len(self.skills))


@dataclass(frozen=True)
class NoConfig:
    """Of a part that has nothing to choose."""


@dataclass(frozen=True)
class Part:
    """A class that a method is made of, and its settings."""

    cls: Any
    config: Any = NoConfig()


@dataclass(frozen=True)
class PolicyInputs:
    """What a policy is shown inside a trial beside the observation. What it may not see is absent."""

    reward: bool = True
    task: bool = False
    noise_dim: int = 0  # N, normal numbers that every episode brings with it, to be drawn with


@dataclass(frozen=True)
class Context:
    """What is known before acting. A field that a method may not see is None, never zero."""

    obs: Tensor  # [B, T, O]
    prev_action: Tensor  # [B, T, A], one-hot where actions are discrete; 0 at the start of a trial
    prev_reward: Tensor | None  # [B, T]
    prev_done: Tensor  # [B, T], 1 where the step before ended an episode
    task: Tensor | None = None  # [B, P], only for a method that declares it
    noise: Tensor | None = None  # [B, T, N], equal in all steps of an episode

    def __getitem__(self, rows: Tensor) -> "Context":
        """The same context in fewer lanes."""
        return replace(self, **{name: x[rows] for name, x in vars(self).items() if x is not None})

    def until(self, steps: int) -> "Context":
        """The same without what came after so many steps."""
        through_time = {name: x for name, x in vars(self).items() if name != "task" and x is not None}
        return replace(self, **{name: x[:, :steps] for name, x in through_time.items()})


@dataclass(frozen=True)
class Encoding:
    """An encoder's answer: the task embedding, the memory to carry on, and its own loss."""

    z: Tensor  # [B, T, Z]
    state: State
    aux: Tensor  # []


@dataclass(frozen=True)
class Step:
    """One step of B lanes. `obs` already belongs to the next episode where `done`."""

    obs: Tensor  # [B, O]
    reward: Tensor  # [B]
    terminated: Tensor  # [B] bool, the MDP ended; never a time limit
    truncated: Tensor  # [B] bool, the horizon cut the episode
    success: Tensor  # [B] bool
    next_obs: Tensor  # [B, O], the observation this step led to, before any reset
    diverged: Tensor | None = None  # [B] bool, its simulation diverged; None where that cannot happen
    shaped: Tensor | None = None  # [B], a denser reward of the same task, to train on where a method may

    @property
    def done(self) -> Tensor:
        return self.terminated | self.truncated


@dataclass(frozen=True)
class Outcome:
    """What came of B trials of T steps each."""

    reward: Tensor  # [B, T]
    done: Tensor  # [B, T] bool, the step ended an episode
    terminated: Tensor  # [B, T] bool
    success: Tensor  # [B, T] bool
    mask: Tensor  # [B, T] bool, the step is in one of the trial's K episodes
    diverged: Tensor  # [B, T] bool, the simulation diverged

    def __getitem__(self, rows: Tensor) -> "Outcome":
        """The same in fewer lanes."""
        return Outcome(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Trial:
    """What B lanes lived through, starting from cleared memory."""

    obs: Tensor  # [B, T, O]
    action: Tensor  # [B, T] int, or [B, T, A] float
    outcome: Outcome
    task: Tensor  # [B, P]
    actions: int  # A
    next_obs: Tensor | None = (
        None  # [B, T, O], what each step led to, before any reset; where it is asked for
    )
    noise: Tensor | None = None  # [B, T, N]
    shaped: Tensor | None = None  # [B, T]
    memory: Tensor | None = None  # [B, S, M], the policy's own at every so many steps, laid flat

    def __getitem__(self, rows: Tensor) -> "Trial":
        """The same trial in fewer lanes."""
        lanes = {name: x for name, x in vars(self).items() if name != "actions" and x is not None}
        return replace(self, **{name: x[rows] for name, x in lanes.items()})

    def context(self, inputs: PolicyInputs) -> Context:
        """The whole trial as the acting policy saw it, one step late."""
        action = encode_action(self.action, self.actions)
        return Context(
            obs=self.obs,
            prev_action=_one_step_late(action),
            prev_reward=_one_step_late(self.outcome.reward) if inputs.reward else None,
            prev_done=_one_step_late(self.outcome.done.to(self.outcome.reward.dtype)),
            task=self.task if inputs.task else None,
            noise=self.noise,
        )


@dataclass(frozen=True)
class Batch:
    """Transitions of B tasks, T of each: one after the other where they are a trial, else in any order."""

    obs: Tensor  # [B, T, O]
    action: Tensor  # [B, T, A]
    reward: Tensor  # [B, T], that tasks are inferred from
    training_reward: Tensor  # [B, T], that values are of: the same, or a denser one of the same tasks
    next_obs: Tensor  # [B, T, O], what the step led to, before any reset
    done: Tensor  # [B, T], 1 where the step ended an episode
    terminated: Tensor  # [B, T], 1 where the MDP ended; never a time limit
    mask: Tensor  # [B, T], 1 where the step is one to learn from
    task: Tensor  # [B, P]
    family: Tensor  # [B] int, which skill, where a card has several, else 0
    is_demo: Tensor  # [B, T], 1 where the step was demonstrated

    def __getitem__(self, rows: Tensor) -> "Batch":
        """Of fewer tasks."""
        return replace(self, **{name: x[rows] for name, x in vars(self).items()})

    def beside(self, other: "Batch") -> "Batch":
        """With others of the same tasks after them."""
        through_time = {name: x for name, x in vars(self).items() if name not in ("task", "family")}
        joined = {name: torch.cat([x, getattr(other, name)], dim=1) for name, x in through_time.items()}
        return replace(self, **joined)


@dataclass(frozen=True)
class Segment:
    """Consecutive steps of B trials, what was known before the first, and what was seen after the last."""

    batch: Batch
    action: Tensor  # [B, A], of the step before the first; 0 at a trial's start, as are the next two
    reward: Tensor  # [B]
    done: Tensor  # [B]
    bootstrap_obs: (
        Tensor  # [B, O], after the last step that counts: where the trial is over, what that step led to
    )
    trial_over: Tensor  # [B], 1 where the trial is
    memory: Tensor | None  # [B, M], what acting remembered before the first step, laid flat; None: nothing


@dataclass(frozen=True)
class EncodedTransitions:
    """Transitions as an off-policy learner reads them: z before and after, both from the same encoder."""

    z: Tensor  # [B, T, Z]
    action: Tensor  # [B, T, A]
    reward: Tensor  # [B, T]
    next_z: Tensor  # [B, T, Z]
    continues: Tensor  # [B, T], 1 where what is after counts for this step's return, else 0
    mask: Tensor  # [B, T]
    family: Tensor  # [B] int
    is_demo: Tensor  # [B, T], 1 where the step was demonstrated

    def __getitem__(self, rows: Tensor) -> "EncodedTransitions":
        """The same in fewer lanes."""
        return replace(self, **{name: x[rows] for name, x in vars(self).items()})

    def at(self, steps: Tensor) -> "EncodedTransitions":
        """These steps of every lane alone, [B, b] int."""
        lanes = torch.arange(len(steps)).unsqueeze(1)
        through_time = {name: x for name, x in vars(self).items() if name != "family"}
        return replace(self, **{name: x[lanes, steps] for name, x in through_time.items()})


@dataclass(frozen=True)
class EncodedTrial:
    """A trial as a learner reads it: the encoder's z beside what was done and what came of it."""

    z: Tensor  # [B, T, Z]
    action: Tensor  # [B, T] int, or [B, T, A] float
    reward: Tensor  # [B, T]
    continues: Tensor  # [B, T], 1 where the next step counts for this one's return, else 0
    mask: Tensor  # [B, T], 1 where the step is one to learn from, else 0
    done: Tensor  # [B, T], 1 where the step ended an episode


@dataclass(frozen=True)
class FiniteMDP:
    """B finite MDPs of S states without their reward; a state has at most M successors."""

    successors: Tensor  # [B, S, M] int
    probs: Tensor  # [B, S, A, M], of each successor after each action; [B, 1, A, M] where states are alike
    features: Tensor  # [B, S, F], what states look like
    start: Tensor  # [B, S], where an episode begins

    def __len__(self) -> int:
        return len(self.start)

    def probs_at(self, state: Tensor, action: Tensor) -> Tensor:
        """[B, M] of each task's own state and action."""
        alike = self.probs.shape[1] == 1
        return self.probs[
            torch.arange(len(self), device=state.device), torch.zeros_like(state) if alike else state, action
        ]

    def __getitem__(self, rows: slice | Tensor) -> "FiniteMDP":
        """The same of fewer tasks."""
        return FiniteMDP(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Demonstrations:
    """N episodes of H steps a task, without reward."""

    states: Tensor  # [B, N, H] int
    actions: Tensor  # [B, N, H] int


@dataclass(frozen=True)
class GoalSpec:
    """What tasks of one kind ask to arrive at, G numbers."""

    achieved: Callable[
        [Tensor], Tensor
    ]  # what is seen, [..., O], to the goal that is reached there, [..., G]
    told: Callable[[Tensor, Tensor], Tensor]  # tasks, [B, P], and goals, [B, G], to tasks that ask for those
    near: float  # how far from its goal a state may be and be there


def flatten_state(memory: State) -> Tensor:
    """[B, M], the parts one behind the other."""
    return torch.cat([part.flatten(1) for part in memory], dim=1)


def unflatten_state(flat: Tensor, like: State) -> State:
    """What was laid flat, in the shapes of another memory of as many lanes."""
    parts = torch.split(flat, [part[0].numel() for part in like], dim=1)
    return tuple(part.view_as(shape).to(shape.dtype) for part, shape in zip(parts, like, strict=True))


def encode_action(action: Tensor, actions: int) -> Tensor:
    """Discrete actions become one-hot rows; continuous ones are already what a network reads."""
    if action.dtype == torch.int64:
        return one_hot(action, actions).to(torch.get_default_dtype())
    return action


def _one_step_late(x: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)
