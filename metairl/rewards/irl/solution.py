"""What demonstrations are explained by, for B tasks at once, and how it acts."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.interfaces import Policy
from metairl.core.types import Context, Demonstrations, FiniteMDP, State


@dataclass(frozen=True)
class IRLSolution:
    """A policy that draws its actions from plans, a row a lane."""

    policy: Tensor  # [B, H, S, A]
    reward: Tensor | None  # [B, S], what the demonstrations seem to be after; None: not asked
    rounds: list[dict[str, Tensor]] = field(default_factory=list)  # what every round found, [B] each

    def initial(self, lanes: int) -> State:
        assert lanes == len(self.policy), "a lane each for the tasks whose demonstrations were seen"
        return (torch.zeros(lanes, dtype=torch.int64),)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        clock = state[0].where(context.prev_done[:, 0] == 0, 0)
        now = context.obs[:, 0].argmax(1)
        probs = self.policy[torch.arange(len(now)), clock, now]
        u = torch.rand(len(now), 1, generator=rng, dtype=probs.dtype)
        return (u >= probs.cumsum(1)[:, :-1]).sum(1), (clock + 1,)


@runtime_checkable
class IRLMethod(Protocol):
    """It is no policy before it has seen demonstrations of the tasks that it acts in."""

    def fit(self, chart: FiniteMDP, shown: Demonstrations) -> IRLSolution: ...


Evaluable = Policy | IRLMethod


def check_width(chart: FiniteMDP, width: int) -> None:
    if chart.features.shape[2] != width:
        raise UsageError(f"features have {chart.features.shape[2]} numbers, not {width}")


def from_shown_starts(chart: FiniteMDP, shown: Demonstrations) -> FiniteMDP:
    """The same where episodes begin as the demonstrated ones did, so that this is no difference to them."""
    first, count = shown.states[:, :, 0], shown.states.shape[1]
    share = chart.start.new_full(first.shape, 1 / count)
    start = torch.zeros_like(chart.start).scatter_add(1, first, share)
    return FiniteMDP(chart.successors, chart.probs, chart.features, start)


def shown_visits(chart: FiniteMDP, shown: Demonstrations) -> Tensor:
    """[B, S], how often a demonstration acts in each state, on average."""
    states = shown.states.flatten(1)
    share = chart.start.new_full(states.shape, 1 / shown.states.shape[1])
    return torch.zeros_like(chart.start).scatter_add(1, states, share)


def feature_sums(chart: FiniteMDP, visits: Tensor) -> Tensor:
    """μ [B, F] = Σ_s visits(s) φ(s)."""
    return torch.einsum("bs,bsf->bf", visits, chart.features)
