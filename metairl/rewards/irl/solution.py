"""What demonstrations are explained by, for B tasks at once, and how it acts."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.interfaces import Policy
from metairl.core.types import Chart, Context, Demonstrations, State


@dataclass(frozen=True)
class Explained:
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
        chances = self.policy[torch.arange(len(now)), clock, now]
        u = torch.rand(len(now), 1, generator=rng, dtype=chances.dtype)
        return (u >= chances.cumsum(1)[:, :-1]).sum(1), (clock + 1,)


@runtime_checkable
class Explains(Protocol):
    """It is no policy before it has seen demonstrations of the tasks that it acts in."""

    def explain(self, chart: Chart, shown: Demonstrations) -> Explained: ...


Judged = Policy | Explains


def require_width(chart: Chart, width: int) -> None:
    if chart.features.shape[2] != width:
        raise UsageError(f"features have {chart.features.shape[2]} numbers, not {width}")


def from_shown_starts(chart: Chart, shown: Demonstrations) -> Chart:
    """The same where episodes begin as the demonstrated ones did, so that this is no difference to them."""
    first, count = shown.states[:, :, 0], shown.states.shape[1]
    share = chart.start.new_full(first.shape, 1 / count)
    start = torch.zeros_like(chart.start).scatter_add(1, first, share)
    return Chart(chart.successors, chart.chances, chart.features, start)


def shown_visits(chart: Chart, shown: Demonstrations) -> Tensor:
    """[B, S], how often a demonstration acts in each state, on average."""
    states = shown.states.flatten(1)
    share = chart.start.new_full(states.shape, 1 / shown.states.shape[1])
    return torch.zeros_like(chart.start).scatter_add(1, states, share)


def feature_sums(chart: Chart, visits: Tensor) -> Tensor:
    """μ [B, F] = Σ_s visits(s) φ(s)."""
    return torch.einsum("bs,bsf->bf", visits, chart.features)
