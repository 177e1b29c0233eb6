"""What IRL on finite MDPs returns for B tasks at once: a policy and the reward that it is optimal for."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.interfaces import Policy
from metairl.core.types import Context, Demonstrations, FiniteMDP, State


@dataclass(frozen=True)
class IRLSolution:
    """A time-dependent tabular policy, one task a lane."""

    policy: Tensor  # [B, H, S, A]
    reward: Tensor | None  # [B, S]; None: the method recovers none
    rounds: list[dict[str, Tensor]] = field(default_factory=list)  # metrics of every iteration, [B] each

    def initial(self, lanes: int) -> State:
        assert lanes == len(self.policy), "one lane for each task that was fitted"
        return (torch.zeros(lanes, dtype=torch.int64),)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        step = state[0].where(context.prev_done[:, 0] == 0, 0)
        position = context.obs[:, 0].argmax(1)
        probs = self.policy[torch.arange(len(position)), step, position]
        u = torch.rand(len(position), 1, generator=rng, dtype=probs.dtype)
        return (u >= probs.cumsum(1)[:, :-1]).sum(1), (step + 1,)


@runtime_checkable
class IRLMethod(Protocol):
    """Becomes a policy by fitting demonstrations of the tasks that it acts in."""

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution: ...


Evaluable = Policy | IRLMethod


def check_width(mdps: FiniteMDP, width: int) -> None:
    if mdps.features.shape[2] != width:
        raise UsageError(f"features have {mdps.features.shape[2]} numbers, not {width}")


def with_demo_starts(mdps: FiniteMDP, demos: Demonstrations) -> FiniteMDP:
    """The MDPs with the demonstrations' initial states as ρ, so that sampled starts bias no comparison."""
    first, count = demos.states[:, :, 0], demos.states.shape[1]
    share = mdps.start.new_full(first.shape, 1 / count)
    start = torch.zeros_like(mdps.start).scatter_add(1, first, share)
    return FiniteMDP(mdps.successors, mdps.probs, mdps.features, start)


def expert_visitation(mdps: FiniteMDP, demos: Demonstrations) -> Tensor:
    """D_E [B, S]: visits of each state in a demonstration, on average."""
    states = demos.states.flatten(1)
    share = mdps.start.new_full(states.shape, 1 / demos.states.shape[1])
    return torch.zeros_like(mdps.start).scatter_add(1, states, share)


def feature_expectations(mdps: FiniteMDP, visits: Tensor) -> Tensor:
    """μ [B, F] = Σ_s visits(s) φ(s)."""
    return torch.einsum("bs,bsf->bf", visits, mdps.features)
