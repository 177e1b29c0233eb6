"""Protocols of envs, policies, encoders and learners. Axes of tensors as in `metairl.core.types`."""

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

# whether returns continue into the following episodes of the trial
Objective = Literal["trial", "episode"]
# what an encoder reads: the current step, the trial so far in order, or transitions in any order
ContextKind = Literal["step", "trial", "set"]


class Policy(Protocol):
    """Acts in B lanes at once. Its memory is an argument and a result, never an attribute."""

    def initial(self, lanes: int) -> State:
        """The empty memory."""
        ...

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        """From a context of one step (T = 1): the actions, [B] int or [B, A], and the new memory."""
        ...


class Env(Protocol):
    """B MDPs of one kind, stepped together, one a lane. A step that ends a lane's episode also resets the lane."""

    spec: Spec
    lanes: int
    task: Tensor  # [B, P]

    def reset(self) -> Tensor:
        """Starts the first episode of every lane; returns the observations, [B, O]."""
        ...

    def step(self, action: Tensor) -> Step:
        """action: [B] int or [B, A]."""
        ...


@runtime_checkable
class SubsettableEnv(Env, Protocol):
    """An env that can continue with a subset of its lanes."""

    def select(self, rows: Tensor) -> "SubsettableEnv":
        """An env of these lanes in their current state; rows: [B] bool. The original must not be stepped again."""
        ...


@runtime_checkable
class LaneResetEnv(Env, Protocol):
    """An env whose lanes can be given new tasks one by one.

    Every env whose episodes may end early is one; in all others the trials of all lanes end together.
    """

    def reset_lanes(self, lanes: Tensor, tasks: Tasks) -> Tensor:
        """Starts new tasks, n of them, in n lanes; lanes: [B] bool. Returns their first observations, [n, O]."""
        ...


@runtime_checkable
class SuccessExampleEnv(Env, Protocol):
    """An env with examples of success states."""

    def examples(self, count: int, rng: Generator) -> Tensor:
        """n success states of each lane's task, [B, n, O], constructed without a rollout."""
        ...


@runtime_checkable
class GoalEnv(Env, Protocol):
    """An env whose tasks are goals to reach, given as observations."""

    def sample_goals(self, rng: Generator) -> Tensor:
        """A goal for every lane, uniform over reachable ones, [B, O]."""
        ...

    def at(self, obs: Tensor, goals: Tensor) -> Tensor:
        """Whether observations reach goals; both [..., O] -> [...] bool."""
        ...


class Encoder(Protocol):
    """Embeds observations together with what is inferred of the task; takes a single step or a whole trial."""

    width: int  # Z
    context_kind: ContextKind
    length_buckets: int  # groups of similar length that trials are encoded in; 1 for recurrent encoders

    def initial(self, lanes: int) -> State:
        """The empty memory."""
        ...

    def __call__(self, context: Context, state: State) -> Encoding: ...


@runtime_checkable
class SetEncoder(Encoder, Protocol):
    """An encoder that also infers a task from a set or sequence of its transitions."""

    reads_in_order: bool  # whether the order of transitions matters

    def infer_posterior(self, evidence: Batch) -> tuple[Tensor, Tensor]:
        """The posterior of each task, [B, …], and the encoder's own loss, []."""
        ...

    def condition(self, posterior: Tensor, obs: Tensor, noise: Tensor | None) -> Tensor:
        """z of observations, [B, T, O], for a posterior of each task and the noise to sample from it."""
        ...


class Learner(Protocol):
    """Policy and value networks on top of the embedding z."""

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        """z [B, Z] to actions, [B] int or [B, A]."""
        ...

    def last_layer(self) -> Iterator[Tensor]:
        """Parameters of the output layers, which `fine_tuning.freeze` may leave trainable alone."""
        ...


@runtime_checkable
class StatefulLearner(Protocol):
    """A learner with a memory of the trial of its own."""

    def initial(self, lanes: int) -> State:
        """The empty memory."""
        ...

    def act_with_state(
        self, z: Tensor, context: Context, memory: State, rng: Generator, explore: bool
    ) -> tuple[Tensor, State]: ...


class OnPolicyLearner(Learner, Protocol):
    """Updates on trials collected with the current policy."""

    def targets(self, f: EncodedTrial, progress: float) -> Any:
        """What stays fixed during the gradient steps of an iteration: advantages, old log-probabilities.

        `progress` in [0, 1) is the share of the training budget already spent.
        """
        ...

    def losses(self, f: EncodedTrial, old: Any) -> dict[str, Tensor]:
        """Loss terms, whose sum is minimised; `old` is the result of `targets`."""
        ...


class OffPolicyLearner(Learner, Protocol):
    """Updates on transitions of any policy."""

    def losses(self, m: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        """Loss terms, whose sum is minimised."""
        ...

    def after_step(self) -> None:
        """Called after every gradient step: updates target networks."""
        ...
