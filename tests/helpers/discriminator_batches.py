"""Small discriminator batches and networks with known outputs, for rewards worked out by hand."""

import torch
from torch import Tensor, nn

from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch

SPEC = Spec(obs=2, actions=2, discrete=True, horizon=4, episodes=1, params=1)


def batch(steps: int = 3, terminated: bool = False, log_prob: float = -0.5) -> DiscriminatorBatch:
    """One trial of an episode of 4 steps, which may terminate at its last step."""
    last = torch.zeros(1, steps)
    last[:, -1] = float(terminated)
    return DiscriminatorBatch(
        z=torch.zeros(1, steps, 2),
        action=torch.eye(2)[torch.zeros(1, steps, dtype=torch.long)],
        next_z=torch.ones(1, steps, 2),
        mask=torch.ones(1, steps),
        terminated=last,
        absorbing_steps=last * (SPEC.horizon - steps),
        log_prob=torch.full((1, steps), log_prob),
    )


class Constant(nn.Module):
    """One number for all steps and another for the absorbing state."""

    def __init__(self, step: float, absorbing: float):
        super().__init__()
        self.step, self.at_absorbing = step, absorbing

    def forward(self, x: Tensor) -> Tensor:
        return torch.full(x.shape[:-1], self.step)

    def absorbing(self) -> Tensor:
        return torch.tensor(self.at_absorbing)
