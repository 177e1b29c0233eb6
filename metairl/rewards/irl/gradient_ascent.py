"""Maximum-entropy IRL by gradient: plan softly for the current reward, then match state visitation.

loop:  r = rewards(φ),   D = state visitation of the soft-optimal policy for r,   ∇L = n (D − D_E) ∂r + ∇prior
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from metairl.agents.exact.planning import HARD, SOFT, plan, visits
from metairl.core.types import Demonstrations, FiniteMDP
from metairl.rewards.irl.solution import IRLSolution, check_width, expert_visitation, with_demo_starts


@dataclass(frozen=True)
class ExpertStatistics:
    """What the gradient reads of n demonstrations of each of B tasks."""

    mdps: FiniteMDP
    from_demo_starts: FiniteMDP  # with the demonstrations' initial states
    visitation: Tensor  # D_E [B, S]
    count: int  # n

    @classmethod
    def of(cls, mdps: FiniteMDP, demos: Demonstrations) -> "ExpertStatistics":
        starts = with_demo_starts(mdps, demos)
        return cls(mdps, starts, expert_visitation(mdps, demos), demos.states.shape[1])


class Model(Protocol):
    config: Any
    horizon: int
    width: int  # F, number of features

    def prior(self, rewards: Any) -> Tensor:
        """Negative log-prior of each task's parameters, [B]."""
        ...


def fit_by_gradient(model: Model, rewards: nn.Module, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
    """Fits the reward parameters of B tasks, each to its own demonstrations."""
    check_width(mdps, model.width)
    expert = ExpertStatistics.of(mdps, demos)
    optimiser = torch.optim.Adam(rewards.parameters(), model.config.learning_rate)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimiser, model.config.rounds)
    rounds = []
    for _ in range(model.config.rounds):
        optimiser.zero_grad(set_to_none=True)
        rounds.append(accumulate_maxent_gradient(model, rewards, expert))
        if largest_gradient(rewards) <= model.config.tolerance * expert.count:
            break
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        reward = rewards(mdps.features)
    return IRLSolution(plan(mdps, reward, model.horizon, HARD).policy, reward, rounds)


def accumulate_maxent_gradient(
    model: Model, rewards: nn.Module, expert: ExpertStatistics
) -> dict[str, Tensor]:
    """Accumulates ∇L in the parameters' gradients; returns the visitation gap, ½ ‖D − D_E‖₁ in steps, [B]."""
    reward = rewards(expert.mdps.features)
    soft = plan(expert.from_demo_starts, reward.detach(), model.horizon, SOFT)
    gap = visits(expert.from_demo_starts, soft.policy) - expert.visitation
    loss = expert.count * (reward * gap).sum(1) + model.prior(rewards)
    torch.autograd.backward(loss.sum())
    return {"gap": gap.abs().sum(1) / 2}


def largest_gradient(rewards: nn.Module) -> float:
    return max(float(weight.grad.abs().max()) for weight in rewards.parameters() if weight.grad is not None)
