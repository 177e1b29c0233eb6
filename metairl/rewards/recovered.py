"""A policy with the reward that was learned beside it, and that reward as a table of a chart's states.

    r(s, a, s′) = r(s, a) − γ V(s′)          V = 0 where a reward does not read what a step led to

So a table needs no row for every s′. On a chart r(s, a) = Σ_s′ P(s′ | s, a) r(s, a, s′) is one look ahead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from metairl.agents.agent import Agent, AgentPolicy
from metairl.agents.exact.planning import expected_after
from metairl.core.types import FiniteMDP


@runtime_checkable
class HasImplicitReward(Protocol):
    """A learner whose values say what demonstrators seem to be after: r = Q(z, a) − γ V(z′)."""

    def q_value(self, z: Tensor, action: Tensor) -> Tensor:
        """Q, [B, T]."""
        ...

    def state_value(self, z: Tensor) -> Tensor:
        """V, [B, T]."""
        ...


@dataclass(frozen=True)
class RewardTable:
    """A reward of every state, action and successor."""

    now: Tensor  # r [B, S, A]
    then: Tensor | None  # V [B, S]; None: what a step led to is not read
    discount: float  # γ

    def to(self, like: Tensor) -> "RewardTable":
        """In another precision."""
        then = None if self.then is None else self.then.to(like)
        return RewardTable(self.now.to(like), then, self.discount)

    def expected(self, chart: FiniteMDP) -> Tensor:
        """[B, S, A], by where steps lead on this chart."""
        if self.then is None:
            return self.now
        return self.now - self.discount * expected_after(chart, self.then)

    def triples(self, lane: int) -> Tensor:
        """[1, S, A, S′] of one task."""
        now = self.now[lane, None, :, :, None]
        states = now.shape[1]
        if self.then is None:
            return now.expand(-1, -1, -1, states)
        return now - self.discount * self.then[lane]


@dataclass(frozen=True)
class PolicyWithReward(AgentPolicy):
    """A policy with the reward that was learned beside it."""

    now: Callable[[Tensor, Tensor], Tensor]  # r(z, a)
    then: Callable[[Tensor], Tensor] | None  # V(z′)

    @torch.no_grad()
    def table(self, obs: Tensor, task: Tensor, actions: int) -> RewardTable:
        """What the demonstrators seem to be after, of every action in every state, as seen: obs [B, S, O]."""
        z = self.agent.embed(obs, task, None)
        each = torch.eye(actions).expand(*z.shape[:2], -1, -1)
        columns = [self.now(z, each[..., a, :]) for a in range(actions)]
        then = None if self.then is None else self.then(z)
        return RewardTable(torch.stack(columns, dim=-1), then, self.agent.learner.config.gamma)


def with_reward(
    agent: Agent[Any], now: Callable[[Tensor, Tensor], Tensor], then: Callable[[Tensor], Tensor] | None
) -> PolicyWithReward | None:
    """None where the reward reads what was lived before: it is none of states."""
    return None if agent.encoder.context_kind == "trial" else PolicyWithReward(agent, False, now, then)
