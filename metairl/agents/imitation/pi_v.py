"""Imitation by a policy and a value, with no Q (Wulfmeier et al. 2024, arXiv:2409.01369).

    r   = log π(a | z) + V(z) − γ_t V(z′)                  the reward that would make π soft-optimal
    L   = E_E[ −log π(a | z) ]                             behavioural cloning
        + λ E_E[ r² ]                                      ψ: small rewards, which ties steps together

With λ = 0 it is behavioural cloning, step by step. Where actions are discrete and log π + V is called Q, it
is offline IQ-Learn at τ = 1 with 4α = 1 / λ.

Departures: V has a network of its own, also where actions are discrete; for continuous actions log π is that
of the Gaussian that behavioural cloning has beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Generator, Tensor, nn

from metairl.core.losses import mean
from metairl.core.networks import PolicyHead, mlp
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # γ
    weight: float = 0.1  # λ
    hidden: tuple[int, ...] = (256, 256)  # layers of policy and V


class PiV(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.policy = PolicyHead(spec, width, config.hidden, bounded=True)
        self.value = mlp(width, *config.hidden, 1, last_gain=0.01)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = self.policy(z)
        action: Tensor = pi.sample(rng) if explore else pi.mode()
        return action

    def last_layer(self) -> Iterator[Tensor]:
        yield from (*self.policy.last_layer(), *self.value[-1].parameters())

    def q_value(self, z: Tensor, action: Tensor) -> Tensor:
        """What stands in Q's place."""
        chosen: Tensor = self.policy(z).log_prob(action) + self.state_value(z)
        return chosen

    def state_value(self, z: Tensor) -> Tensor:
        value: Tensor = self.value(z).squeeze(-1)
        return value

    def reward(self, batch: EncodedTransitions, rng: Generator) -> Tensor:
        return self.q_value(batch.z, batch.action) - self.config.gamma * batch.continues * self.state_value(
            batch.next_z
        )

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        is_demo = batch.mask * batch.is_demo
        log_prob = self.policy(batch.z).log_prob(batch.action)
        r = (
            log_prob
            + self.state_value(batch.z)
            - self.config.gamma * batch.continues * self.state_value(batch.next_z)
        )
        return {
            "policy": -mean(log_prob, is_demo),
            "reward": self.config.weight * mean(r.square(), is_demo),
        }

    def after_step(self) -> None: ...
