"""Interfaces of environments, policies, encoders and learners."""

from collections.abc import Iterator
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Generator, Tensor

from metairl.core.types import (
    Batch,
    Context,
    EncodedTransitions,
    EncodedTrial,
    Encoding,
    Spec,
    State,
    Step,
    Tasks,
)

Objective = Literal["trial", "episode"]  # returns of whole trials, or of single episodes
ContextKind = Literal[
    "step", "trial", "set"
]  # what an encoder reads: one step, the trial so far, any transitions


class Policy(Protocol):
    """Acts in B lanes at once; its memory is passed in and returned."""

    def initial(self, lanes: int) -> State: ...

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        """From a context of one step (T = 1), the action, [B] or [B, A], and the new memory."""
        ...


class Env(Protocol):
    """B MDPs stepped together. A lane is reset in the same step that ends its episode."""

    spec: Spec
    lanes: int
    task: Tensor  # [B, P]

    def reset(self) -> Tensor:
        """Starts every lane's first episode; returns the observation, [B, O]."""
        ...

    def step(self, action: Tensor) -> Step: ...


@runtime_checkable
class SubsettableEnv(Env, Protocol):
    """An environment that can continue with a subset of its lanes."""

    def select(self, rows: Tensor) -> "SubsettableEnv":
        """The chosen lanes, [B] bool, in their current state; the original is not stepped any more."""
        ...


@runtime_checkable
class LaneResetEnv(Env, Protocol):
    """An environment whose lanes can be given new tasks while the others continue.

    Needed where episodes may end early; elsewhere the trials of all lanes end together.
    """

    def reset_lanes(self, lanes: Tensor, tasks: Tasks) -> Tensor:
        """New tasks in the chosen lanes, [B] bool; returns their first observations."""
        ...


@runtime_checkable
class SuccessExampleEnv(Env, Protocol):
    """An environment that can produce examples of success."""

    def examples(self, count: int, rng: Generator) -> Tensor:
        """So many success states of every task, [B, n, O], not collected by any policy."""
        ...


@runtime_checkable
class GoalEnv(Env, Protocol):
    """An environment whose tasks are goals, given as the observation there."""

    def sample_goals(self, rng: Generator) -> Tensor:
        """A position for every lane, uniform over free space, [B, O]."""
        ...

    def at(self, obs: Tensor, goals: Tensor) -> Tensor:
        """Whether observations reach goals, both [..., O]."""
        ...


class Encoder(Protocol):
    """Embeds observations and what is known of the task; the same call for a whole trial and a single step."""

    width: int  # Z
    context_kind: ContextKind
    length_buckets: int  # into which trials are sorted by length, to save padding; 1 for recurrent encoders

    def initial(self, lanes: int) -> State: ...

    def __call__(self, context: Context, state: State) -> Encoding: ...


@runtime_checkable
class SetEncoder(Encoder, Protocol):
    """An encoder that can also infer a task from a set of its transitions."""

    reads_in_order: bool  # transitions are given in time order

    def infer_posterior(self, context: Batch) -> tuple[Tensor, Tensor]:
        """The posterior of every task, and the encoder's own loss."""
        ...

    def condition(self, posterior: Tensor, obs: Tensor, noise: Tensor | None) -> Tensor:
        """z of observations, [B, T, O], given the posterior and, for a sample of it, noise."""
        ...


class Learner(Protocol):
    """Networks on z."""

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor: ...

    def last_layer(self) -> Iterator[Tensor]:
        """Parameters of the output layers."""
        ...


@runtime_checkable
class StatefulLearner(Protocol):
    """A learner with a memory of its own, such as MAML's adapted weights."""

    def initial(self, lanes: int) -> State: ...

    def act_with_state(
        self, z: Tensor, context: Context, memory: State, rng: Generator, explore: bool
    ) -> tuple[Tensor, State]: ...


class OnPolicyLearner(Learner, Protocol):
    """Learns from trials of its current policy. `targets` are fixed within an iteration.

    `progress` in [0, 1) is the share of the training budget already spent.
    """

    def targets(self, trial: EncodedTrial, progress: float) -> Any: ...

    def losses(self, trial: EncodedTrial, old: Any) -> dict[str, Tensor]: ...


class OffPolicyLearner(Learner, Protocol):
    """Learns from any transitions."""

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]: ...

    def after_step(self) -> None: ...
