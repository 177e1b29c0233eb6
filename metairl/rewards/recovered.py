"""A policy with the reward that was learned beside it, and that reward as a table over a finite MDP.

    r(s, a, s′) = r(s, a) − γ V(s′)          V = 0 for rewards that do not read the next state

so a table needs no row for every s′. On a finite MDP r(s, a) = Σ_s′ P(s′ | s, a) r(s, a, s′).
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
    """A learner whose values imply a reward, r = Q(z, a) − γ V(z′), as IQ-Learn's do."""

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
    then: Tensor | None  # V [B, S]; None: the next state is not read
    discount: float  # γ

    def to(self, like: Tensor) -> "RewardTable":
        """In another precision."""
        then = None if self.then is None else self.then.to(like)
        return RewardTable(self.now.to(like), then, self.discount)

    def expected(self, mdps: FiniteMDP) -> Tensor:
        """r(s, a) under these dynamics, [B, S, A]."""
        if self.then is None:
            return self.now
        return self.now - self.discount * expected_after(mdps, self.then)

    def triples(self, lane: int) -> Tensor:
        """r(s, a, s′) of one task, [1, S, A, S′]."""
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
        """The learned reward of every state, given its observation, [B, S, O], and every action."""
        z = self.agent.embed(obs, task, None)
        one_hot = torch.eye(actions).expand(*z.shape[:2], -1, -1)
        columns = [self.now(z, one_hot[..., a, :]) for a in range(actions)]
        then = None if self.then is None else self.then(z)
        return RewardTable(torch.stack(columns, dim=-1), then, self.agent.learner.config.gamma)


def with_reward(
    agent: Agent[Any], now: Callable[[Tensor, Tensor], Tensor], then: Callable[[Tensor], Tensor] | None
) -> PolicyWithReward | None:
    """None for sequence encoders: there the reward depends on history, and is none of states."""
    return None if agent.encoder.context_kind == "trial" else PolicyWithReward(agent, False, now, then)
