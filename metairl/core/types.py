"""The types that the packages exchange, with the shape of every tensor.

Axes: B lanes (one task each), T steps of a trial, H steps of an episode, K episodes of a trial,
O observation size, A number of actions (or size of a continuous one), Z embedding size,
P number of task parameters, N size of the noise. A trial is K episodes of one task, T = K · H steps;
the policy's memory is kept between its episodes and cleared between tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

State = tuple[Tensor, ...]  # the memory of a policy, lanes first; passed along, never stored in self
Tasks = dict[str, Tensor]  # task parameters by name, tasks first: {"arm_means": [N, 5]}


@dataclass(frozen=True)
class Spec:
    """The sizes of an environment, from which networks are built."""

    obs: int  # O
    actions: int  # A
    discrete: bool
    horizon: int  # H
    episodes: int  # K
    params: int  # P
    picture: tuple[int, int, int] | None = None  # rows, columns, colours, if O is an image of bytes
    skills: tuple[int, ...] = ()  # indices of the parameters that one-hot encode a card's skills
    finite_mdp: str | None = None  # how finite MDPs are built from parameters, if their dynamics may be known
    features: int = 0  # F, features of a state in such an MDP

    @property
    def steps(self) -> int:
        return self.horizon * self.episodes  # T

    @property
    def families(self) -> int:
        """Number of skills, or 1."""
        return max(1, len(self.skills))


@dataclass(frozen=True)
class NoConfig:
    """Of a part without settings."""


@dataclass(frozen=True)
class Part:
    """A class that a method is composed of, and its settings."""

    cls: Any
    config: Any = NoConfig()


@dataclass(frozen=True)
class PolicyInputs:
    """What a policy observes beside observations, actions and episode ends."""

    reward: bool = True
    task: bool = False
    noise_dim: int = 0  # N, normal numbers sampled once an episode


@dataclass(frozen=True)
class Context:
    """What a policy reads before acting. A field that a method may not observe is None, never zero."""

    obs: Tensor  # [B, T, O]
    prev_action: Tensor  # [B, T, A], one-hot where actions are discrete; 0 at the start of a trial
    prev_reward: Tensor | None  # [B, T]
    prev_done: Tensor  # [B, T], 1 where the step before ended an episode
    task: Tensor | None = None  # [B, P], only for methods that declare it
    noise: Tensor | None = None  # [B, T, N], the same in all steps of an episode

    def __getitem__(self, rows: Tensor) -> "Context":
        """Of these lanes."""
        return replace(self, **{name: x[rows] for name, x in vars(self).items() if x is not None})

    def until(self, steps: int) -> "Context":
        """Its first `steps` steps."""
        through_time = {name: x for name, x in vars(self).items() if name != "task" and x is not None}
        return replace(self, **{name: x[:, :steps] for name, x in through_time.items()})


@dataclass(frozen=True)
class Encoding:
    """An encoder's output: the embedding, the memory to pass on, and its own loss."""

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
    diverged: Tensor | None = None  # [B] bool, the simulation diverged; None if it cannot
    shaped: Tensor | None = None  # [B], a shaped reward of the same task, for training

    @property
    def done(self) -> Tensor:
        return self.terminated | self.truncated


@dataclass(frozen=True)
class Outcome:
    """Rewards and ends of B trials of T steps."""

    reward: Tensor  # [B, T]
    done: Tensor  # [B, T] bool, the step ended an episode
    terminated: Tensor  # [B, T] bool
    success: Tensor  # [B, T] bool
    mask: Tensor  # [B, T] bool, the step is in one of the trial's K episodes
    diverged: Tensor  # [B, T] bool, the simulation diverged

    def __getitem__(self, rows: Tensor) -> "Outcome":
        """Of these lanes."""
        return Outcome(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Trial:
    """Trials of B lanes, from a cleared memory on."""

    obs: Tensor  # [B, T, O]
    action: Tensor  # [B, T] int, or [B, T, A] float
    outcome: Outcome
    task: Tensor  # [B, P]
    actions: int  # A
    next_obs: Tensor | None = None  # [B, T, O], the observation each step led to, if it was recorded
    noise: Tensor | None = None  # [B, T, N]
    shaped: Tensor | None = None  # [B, T]
    memory: Tensor | None = None  # [B, S, M], the policy's flattened memory every few steps

    def __getitem__(self, rows: Tensor) -> "Trial":
        """Of these lanes."""
        lanes = {name: x for name, x in vars(self).items() if name != "actions" and x is not None}
        return replace(self, **{name: x[rows] for name, x in lanes.items()})

    def context(self, inputs: PolicyInputs) -> Context:
        """The whole trial as the acting policy read it: actions, rewards and ends one step late."""
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
    """T transitions of each of B tasks: consecutive if they are a trial, else in any order."""

    obs: Tensor  # [B, T, O]
    action: Tensor  # [B, T, A]
    reward: Tensor  # [B, T], from which tasks are inferred
    training_reward: Tensor  # [B, T], of which values are learned: the same, or a shaped one
    next_obs: Tensor  # [B, T, O], the observation the step led to, before any reset
    done: Tensor  # [B, T], 1 where the step ended an episode
    terminated: Tensor  # [B, T], 1 where the MDP ended; never a time limit
    mask: Tensor  # [B, T], 0 for padding
    task: Tensor  # [B, P]
    family: Tensor  # [B] int, the skill, for cards with several, else 0
    is_demo: Tensor  # [B, T], 1 for demonstrated steps

    def __getitem__(self, rows: Tensor) -> "Batch":
        """Of these tasks."""
        return replace(self, **{name: x[rows] for name, x in vars(self).items()})

    def concat(self, other: "Batch") -> "Batch":
        """These transitions and others of the same tasks after them."""
        through_time = {name: x for name, x in vars(self).items() if name not in ("task", "family")}
        joined = {name: torch.cat([x, getattr(other, name)], dim=1) for name, x in through_time.items()}
        return replace(self, **joined)


@dataclass(frozen=True)
class Segment:
    """Consecutive steps of B trials, with the policy's inputs before the first and the observation after the last."""

    batch: Batch
    action: Tensor  # [B, A], of the step before the first; 0 at the start of a trial, as are the next two
    reward: Tensor  # [B]
    done: Tensor  # [B]
    bootstrap_obs: Tensor  # [B, O], after the last unmasked step
    trial_over: Tensor  # [B], 1 if the trial ends with the segment
    memory: Tensor | None  # [B, M], the flattened memory before the first step; None: it is empty


@dataclass(frozen=True)
class EncodedTransitions:
    """Transitions as an off-policy learner reads them, observations embedded by the encoder."""

    z: Tensor  # [B, T, Z]
    action: Tensor  # [B, T, A]
    reward: Tensor  # [B, T]
    next_z: Tensor  # [B, T, Z]
    continues: Tensor  # [B, T], 1 to bootstrap from next_z, else 0
    mask: Tensor  # [B, T]
    family: Tensor  # [B] int
    is_demo: Tensor  # [B, T], 1 for demonstrated steps

    def __getitem__(self, rows: Tensor) -> "EncodedTransitions":
        """Of these lanes."""
        return replace(self, **{name: x[rows] for name, x in vars(self).items()})

    def at(self, steps: Tensor) -> "EncodedTransitions":
        """Of these steps of every lane, [B, b] int."""
        lanes = torch.arange(len(steps)).unsqueeze(1)
        through_time = {name: x for name, x in vars(self).items() if name != "family"}
        return replace(self, **{name: x[lanes, steps] for name, x in through_time.items()})


@dataclass(frozen=True)
class EncodedTrial:
    """Trials as an on-policy learner reads them, observations embedded by the encoder."""

    z: Tensor  # [B, T, Z]
    action: Tensor  # [B, T] int, or [B, T, A] float
    reward: Tensor  # [B, T]
    continues: Tensor  # [B, T], 1 to bootstrap from the next step, else 0
    mask: Tensor  # [B, T], 0 for padding
    done: Tensor  # [B, T], 1 where the step ended an episode


@dataclass(frozen=True)
class FiniteMDP:
    """B finite MDPs of S states without their reward; a state has at most M successors."""

    successors: Tensor  # [B, S, M] int
    probs: Tensor  # [B, S, A, M]; [B, 1, A, M] if they are the same in all states
    features: Tensor  # [B, S, F]
    start: Tensor  # [B, S], initial state distribution

    def __len__(self) -> int:
        return len(self.start)

    def probs_at(self, state: Tensor, action: Tensor) -> Tensor:
        """[B, M] for a state and an action of each task."""
        alike = self.probs.shape[1] == 1
        return self.probs[
            torch.arange(len(self), device=state.device), torch.zeros_like(state) if alike else state, action
        ]

    def __getitem__(self, rows: slice | Tensor) -> "FiniteMDP":
        """Of these tasks."""
        return FiniteMDP(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Demonstrations:
    """N episodes of H steps of each of B tasks, without reward."""

    states: Tensor  # [B, N, H] int
    actions: Tensor  # [B, N, H] int


@dataclass(frozen=True)
class GoalSpec:
    """Goals of G numbers, for hindsight relabelling."""

    achieved: Callable[[Tensor], Tensor]  # φ: observations, [..., O], to the goals reached there, [..., G]
    with_goal: Callable[
        [Tensor, Tensor], Tensor
    ]  # task parameters, [B, P], with their goals replaced, [B, G]
    radius: float  # distance at which a goal is reached (ε)


def flatten_state(memory: State) -> Tensor:
    """All parts concatenated, [B, M]."""
    return torch.cat([part.flatten(1) for part in memory], dim=1)


def unflatten_state(flat: Tensor, like: State) -> State:
    """A flattened memory in the shapes of `like`."""
    parts = torch.split(flat, [part[0].numel() for part in like], dim=1)
    return tuple(part.view_as(shape).to(shape.dtype) for part, shape in zip(parts, like, strict=True))


def encode_action(action: Tensor, actions: int) -> Tensor:
    """Discrete actions one-hot, continuous ones unchanged."""
    if action.dtype == torch.int64:
        return one_hot(action, actions).to(torch.get_default_dtype())
    return action


def _one_step_late(x: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)
