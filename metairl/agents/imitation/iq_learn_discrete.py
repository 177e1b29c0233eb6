"""Inverse soft Q-learning for discrete actions (Garg et al. 2021, IQ-Learn, arXiv:2106.12142).

    V(z) = τ log Σ_a exp(Q(z, a) / τ),   π(a | z) = exp((Q(z, a) − V(z)) / τ)
    r    = Q(z, a) − γ_t V(z′)                                              the reward that is recovered
    L_φ  = −E_E[ φ(r) ]                                                     metairl/agents/imitation/divergences.py
    L_V  = E_µ[ V(z) − γ_t V(z′) ]                                          in place of (1 − γ) V(s₀)
    L_χ  = E_{not E}[ r² ] / 4α,  where regularised `everywhere`
    Q̄    ← Q̄ + κ (Q − Q̄)                                                    after every step

E_E is over what was demonstrated. µ is that too (`value = "demos"`) or all transitions alike (`"all"`); over
whole episodes both are what the policy's own beginnings are worth. With µ = E and φ = χ² the sum is
−E[Q − V] + E[r²] / 4α: cloning by a value, and consistency in time. V(z′) is of Q̄ where there is a target.
γ_t is γ where something follows and 0 where the MDP ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Generator, Tensor, nn

from metairl.agents.imitation.divergences import PHI, Name
from metairl.core.losses import mean
from metairl.core.networks import Categorical, frozen_copy, mlp, polyak_update
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # γ
    temperature: float = 0.01  # τ
    phi: Name = "chi2"  # φ
    alpha: float = 0.5  # α, how large a reward may be
    value: Literal["demos", "all"] = "demos"  # µ
    everywhere: bool = False  # rewards of what was not demonstrated are regularised too
    target: bool = False  # V(z′) is of Q̄
    polyak: float = 0.005  # κ
    hidden: tuple[int, ...] = (64, 64)  # layers of Q


class DiscreteIQLearn(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.critic = mlp(width, *config.hidden, spec.actions, last_gain=0.01)
        self.target = frozen_copy(self.critic)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = Categorical((self.critic(z) / self.config.temperature).log_softmax(-1))
        return pi.sample(rng) if explore else pi.mode()

    def last_layer(self) -> Iterator[Tensor]:
        return self.critic[-1].parameters()

    def value(self, q: Tensor) -> Tensor:
        tau = self.config.temperature
        return tau * (q / tau).logsumexp(-1)

    def q_value(self, z: Tensor, action: Tensor) -> Tensor:
        q: Tensor = self.critic(z)
        return (q * action).sum(-1)

    def state_value(self, z: Tensor) -> Tensor:
        return self.value(self.critic(z))

    def reward(self, batch: EncodedTransitions, rng: Generator) -> Tensor:
        return self.q_value(batch.z, batch.action) - self.config.gamma * batch.continues * self.state_value(
            batch.next_z
        )

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        config = self.config
        q = self.critic(batch.z)  # [B, T, A]
        after = self.target(batch.next_z) if config.target else self.critic(batch.next_z)
        follows = config.gamma * batch.continues * self.value(after)
        r = (q * batch.action).sum(-1) - follows
        return inverse_losses(config, r, self.value(q) - follows, batch)

    def after_step(self) -> None:
        polyak_update(self.target, self.critic, self.config.polyak)


def inverse_losses(config: Config, r: Tensor, worth: Tensor, batch: EncodedTransitions) -> dict[str, Tensor]:
    """L_φ, L_V and L_χ of recovered rewards and of V(z) − γ_t V(z′), both [B, T]."""
    is_demo = batch.mask * batch.is_demo
    losses = {
        "reward": -mean(PHI[config.phi](r, config.alpha), is_demo),
        "value": mean(worth, is_demo if config.value == "demos" else batch.mask),
    }
    if config.everywhere:
        others = batch.mask * (1 - batch.is_demo)
        losses["others"] = (r.square() * others).sum() / others.sum().clamp(min=1) / (4 * config.alpha)
    return losses
