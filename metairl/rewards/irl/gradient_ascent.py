"""IRL by gradient: the soft-optimal policy for the current reward, then a step towards the demonstrations.

loop:  r = rewards(φ),   D = state visits of the soft-optimal policy for r,   ∇L = n (D − D_E) ∂r + ∇prior
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from metairl.agents.exact.planning import HARD, SOFT, plan, visits
from metairl.core.types import Demonstrations, FiniteMDP
from metairl.rewards.irl.solution import IRLSolution, check_width, demo_visits, with_demo_starts


@dataclass(frozen=True)
class Evidence:
    """n demonstrations of each of B tasks, summarised."""

    mdps: FiniteMDP
    from_demo_starts: FiniteMDP  # with the demonstrations' initial states
    demo_visits: Tensor  # D_E [B, S]
    count: int  # n

    @classmethod
    def of(cls, mdps: FiniteMDP, demos: Demonstrations) -> "Evidence":
        starts = with_demo_starts(mdps, demos)
        return cls(mdps, starts, demo_visits(mdps, demos), demos.states.shape[1])


class Model(Protocol):
    config: Any
    horizon: int
    width: int  # F, number of features

    def prior(self, rewards: Any) -> Tensor:
        """Negative log-prior of each task's parameters, [B]."""
        ...


def descend(model: Model, rewards: nn.Module, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
    """Fits the rewards of B tasks, each to its own demonstrations."""
    check_width(mdps, model.width)
    evidence = Evidence.of(mdps, demos)
    optimiser = torch.optim.Adam(rewards.parameters(), model.config.rate)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimiser, model.config.rounds)
    rounds = []
    for _ in range(model.config.rounds):
        optimiser.zero_grad(set_to_none=True)
        rounds.append(accumulate_gradient(model, rewards, evidence))
        if largest_gradient(rewards) <= model.config.tolerance * evidence.count:
            break
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        reward = rewards(mdps.features)
    return IRLSolution(plan(mdps, reward, model.horizon, HARD).policy, reward, rounds)


def accumulate_gradient(model: Model, rewards: nn.Module, evidence: Evidence) -> dict[str, Tensor]:
    """Leaves ∇L in the parameters' gradients; returns the distance of D from D_E, in steps, [B]."""
    reward = rewards(evidence.mdps.features)
    soft = plan(evidence.from_demo_starts, reward.detach(), model.horizon, SOFT)
    gap = visits(evidence.from_demo_starts, soft.policy) - evidence.demo_visits
    loss = evidence.count * (reward * gap).sum(1) + model.prior(rewards)
    torch.autograd.backward(loss.sum())
    return {"gap": gap.abs().sum(1) / 2}


def largest_gradient(rewards: nn.Module) -> float:
    return max(float(weight.grad.abs().max()) for weight in rewards.parameters() if weight.grad is not None)
