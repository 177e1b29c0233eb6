"""Behavioural cloning: maximum likelihood of the dataset's actions.

    L_π = −E[ log π(a | z) ]

Continuous actions are Gaussian around tanh(f(z)), with a variance that does not depend on z, as in IQL. Trained on
the best tenth of every task's episodes (`--recipe.best-share 0.1`), it is the baseline that offline RL has to beat.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Generator, Tensor, nn

from metairl.core.losses import mean
from metairl.core.networks import PolicyHead
from metairl.core.types import EncodedTransitions, Spec


@dataclass(frozen=True)
class Config:
    hidden: tuple[int, ...] = (256, 256)  # hidden layers of the policy


class BC(nn.Module):
    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.policy = PolicyHead(spec, width, config.hidden, bounded=True)

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor:
        pi = self.policy(z)
        action: Tensor = pi.sample(rng) if explore else pi.mode()
        return action

    def last_layer(self) -> Iterator[Tensor]:
        return self.policy.last_layer()

    def losses(self, batch: EncodedTransitions, rng: Generator) -> dict[str, Tensor]:
        return {"policy": -mean(self.policy(batch.z).log_prob(batch.action), batch.mask)}

    def after_step(self) -> None: ...
