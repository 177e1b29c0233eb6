"""Network parts that more than one method uses."""

from itertools import pairwise

import torch
from torch import Generator, Tensor, nn


def linear(fan_in: int, fan_out: int, gain: float) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def mlp(*widths: int, last_gain: float) -> nn.Sequential:
    """Linear layers with ReLU between them; `last_gain` scales the output layer's orthogonal weights."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths[:-1]):
        layers += [linear(fan_in, fan_out, gain=2**0.5), nn.ReLU()]
    return nn.Sequential(*layers, linear(widths[-2], widths[-1], gain=last_gain))


class Rescaled(nn.Module):
    """A scalar head whose target's mean and spread are followed, so its output stays near unit size.

    v = m + s · f(x),    m ← m + κ (mean(y) − m),    s ← s + κ (std(y) − s)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, head: nn.Module, rate: float):
        super().__init__()
        self.head = head
        self.rate = rate
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.mean + self.std * self.head(x).squeeze(-1)

    def follow(self, target: Tensor) -> None:
        self.mean.lerp_(target.mean(), self.rate)
        self.std.lerp_(target.std().clamp(min=1e-3), self.rate)


def sample_categorical(log_prob: Tensor, rng: Generator) -> Tensor:
    """Draw an index from each row by inverting the cumulative distribution; [B, A] -> [B]."""
    cdf = log_prob.exp().cumsum(-1)
    u = torch.rand(len(cdf), 1, generator=rng) * cdf[:, -1:]
    return (u >= cdf[:, :-1]).sum(-1)
