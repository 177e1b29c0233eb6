"""The interfaces that parts meet each other by: environments, policies, encoders and learners."""

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

Objective = Literal["trial", "episode"]  # whether a return counts the episodes that follow its own
ContextKind = Literal[
    "step", "trial", "set"
]  # what a task is inferred from: nothing past, a trial, any transitions


class Policy(Protocol):
    """Whatever acts: B lanes at once, its memory handed in and out."""

    def initial(self, lanes: int) -> State: ...

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        """context is one step long (T = 1); returns the action, [B] or [B, A], and the new memory."""
        ...


class Env(Protocol):
    """B MDPs of one kind, stepped together. A lane restarts in the same step that ends its episode."""

    spec: Spec
    lanes: int
    task: Tensor  # [B, P]

    def reset(self) -> Tensor:
        """Start every lane's first episode; returns the observation, [B, O]."""
        ...

    def step(self, action: Tensor) -> Step: ...


@runtime_checkable
class SubsettableEnv(Env, Protocol):
    """A world that can go on with some of its lanes alone."""

    def select(self, rows: Tensor) -> "SubsettableEnv":
        """Those lanes as they are now, [B] bool; this world is then not stepped any more."""
        ...


@runtime_checkable
class LaneResetEnv(Env, Protocol):
    """A world whose lanes may be given new tasks while the others go on.

    Every world whose episodes may end early is one; in the others all lanes' trials end together.
    """

    def renew(self, lanes: Tensor, tasks: Tasks) -> Tensor:
        """Begin anew in some lanes, [B] bool, one task a chosen lane; returns what those see first."""
        ...


@runtime_checkable
class SuccessExampleEnv(Env, Protocol):
    """A world that can say what success looks like."""

    def examples(self, count: int, rng: Generator) -> Tensor:
        """So many success states of every task, [B, n, O], not collected by any policy."""
        ...


@runtime_checkable
class GoalEnv(Env, Protocol):
    """An environment whose tasks are goals, given as the observation there."""

    def anywhere(self, rng: Generator) -> Tensor:
        """A place for every lane, drawn evenly from those that are free, [B, O]."""
        ...

    def at(self, places: Tensor, goals: Tensor) -> Tensor:
        """Whether places are at goals, both [..., O]."""
        ...


class Encoder(Protocol):
    """Context in, task embedding out; one call serves a whole trial and a single step."""

    width: int  # Z
    context_kind: ContextKind
    length_buckets: int  # that trials of uneven length are worked through in; 1 where steps take turns anyway

    def initial(self, lanes: int) -> State: ...

    def __call__(self, context: Context, state: State) -> Encoding: ...


@runtime_checkable
class SetEncoder(Encoder, Protocol):
    """One that can also infer a task from transitions of it, in any order or in time order."""

    reads_in_order: bool

    def infer_posterior(self, evidence: Batch) -> tuple[Tensor, Tensor]:
        """A belief a task, and the encoder's own loss."""
        ...

    def condition(self, posterior: Tensor, obs: Tensor, noise: Tensor | None) -> Tensor:
        """z of what is seen, [B, T, O], under beliefs and draws, a row a task."""
        ...


class Learner(Protocol):
    """Networks on z."""

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor: ...

    def last_layer(self) -> Iterator[Tensor]:
        """The weights that outputs are made with."""
        ...


@runtime_checkable
class StatefulLearner(Protocol):
    """An encoder of the trial so far."""

    def initial(self, lanes: int) -> State: ...

    def act_with_state(
        self, z: Tensor, context: Context, memory: State, rng: Generator, explore: bool
    ) -> tuple[Tensor, State]: ...


class OnPolicyLearner(Learner, Protocol):
    """Learns from trials of its current policy. `targets` are fixed within an iteration.

    `progress` in [0, 1) is the share of the training budget already spent.
    """

    def targets(self, f: EncodedTrial, progress: float) -> Any: ...

    def losses(self, f: EncodedTrial, old: Any) -> dict[str, Tensor]: ...


class OffPolicyLearner(Learner, Protocol):
    """Improves on any transitions."""

    def losses(self, m: EncodedTransitions, rng: Generator) -> dict[str, Tensor]: ...

    def after_step(self) -> None: ...
