"""Rewards that are found by gradient: the soft policy for what is thought, a step towards what was shown.

loop:  r = rewards(φ),   D = visits of the soft-optimal policy for r,   ∇ = n (D − D_E) ∂r + ∇prior
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from metairl.agents.exact.planning import HARD, SOFT, plan, visits
from metairl.core.types import Demonstrations, FiniteMDP
from metairl.rewards.irl.solution import IRLSolution, check_width, from_shown_starts, shown_visits


@dataclass(frozen=True)
class Evidence:
    """Of B tasks, n demonstrations each."""

    chart: FiniteMDP
    began: FiniteMDP  # where the demonstrations did
    demonstrated: Tensor  # D_E [B, S]
    count: int  # n

    @classmethod
    def of(cls, chart: FiniteMDP, shown: Demonstrations) -> "Evidence":
        began = from_shown_starts(chart, shown)
        return cls(chart, began, shown_visits(chart, shown), shown.states.shape[1])


class Model(Protocol):
    config: Any
    horizon: int
    width: int  # F, of features

    def prior(self, rewards: Any) -> Tensor:
        """What speaks against a task's parameters beside its demonstrations, [B]."""
        ...


def descend(model: Model, rewards: nn.Module, chart: FiniteMDP, shown: Demonstrations) -> IRLSolution:
    """The rewards of B tasks, each from its own demonstrations, with parameters of its own."""
    check_width(chart, model.width)
    evidence = Evidence.of(chart, shown)
    optimiser = torch.optim.Adam(rewards.parameters(), model.config.rate)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimiser, model.config.rounds)
    rounds = []
    for _ in range(model.config.rounds):
        optimiser.zero_grad(set_to_none=True)
        found = accumulate_gradient(model, rewards, evidence)
        rounds.append(found)
        if steepest(rewards) <= model.config.tolerance * evidence.count:
            break
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        reward = rewards(chart.features)
    return IRLSolution(plan(chart, reward, model.horizon, HARD).policy, reward, rounds)


def accumulate_gradient(model: Model, rewards: nn.Module, evidence: Evidence) -> dict[str, Tensor]:
    """Leaves ∇L in the parameters' gradients; says how far visits are from those shown, in steps of [B]."""
    reward = rewards(evidence.chart.features)
    soft = plan(evidence.began, reward.detach(), model.horizon, SOFT)
    gap = visits(evidence.began, soft.policy) - evidence.demonstrated
    loss = evidence.count * (reward * gap).sum(1) + model.prior(rewards)
    torch.autograd.backward(loss.sum())
    return {"gap": gap.abs().sum(1) / 2}


def steepest(rewards: nn.Module) -> float:
    return max(float(weight.grad.abs().max()) for weight in rewards.parameters() if weight.grad is not None)
