"""Network parts that more than one method uses."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from math import e, log, pi, sqrt
from typing import TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus

from metairl.core.losses import categorical_entropy, gaussian_log_prob
from metairl.core.types import Spec

PICTURE_WIDTH = 256
EDGE = 1e-4


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


class ObservationEncoder(nn.Module):
    """Observations as networks read them: a vector as it is, a picture of bytes through two convolutions.

    16 filters of 5 × 5 with stride 2, twice, then one layer, as in the papers on mazes.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        self.picture = spec.picture
        self.width = PICTURE_WIDTH if spec.picture else spec.obs
        if spec.picture:
            colours, rows, columns = spec.picture
            size = 16 * _halved(_halved(rows)) * _halved(_halved(columns))
            convolutions = [nn.Conv2d(colours, 16, 5, 2), nn.ReLU(), nn.Conv2d(16, 16, 5, 2), nn.ReLU()]
            self.net = nn.Sequential(*convolutions, nn.Flatten(), linear(size, self.width, 2**0.5), nn.ReLU())

    def forward(self, obs: Tensor) -> Tensor:
        """[B, T, O] -> [B, T, width]."""
        if self.picture is None:
            return obs
        frames = obs.reshape(-1, *self.picture).float() / 127.5 - 1
        seen: Tensor = self.net(frames)
        return seen.view(*obs.shape[:2], self.width)


def _halved(pixels: int) -> int:
    """What a 5 × 5 convolution with stride 2 leaves."""
    return (pixels - 5) // 2 + 1


class RescaledValueHead(nn.Module):
    """A scalar head for every step of a trial whose target's mean (a step) and spread are followed,
    so that its output stays near unit size and need not count the time that is left.

    v_t = m_t + s · f(x_t),    m_t ← m_t + κ (mean(y_t) − m_t),    s ← s + κ (rms(y_t − m_t) − s)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, head: nn.Sequential, steps: int, rate: float):
        super().__init__()
        self.head = head
        self.rate = rate
        self.register_buffer("mean", torch.zeros(steps))
        self.register_buffer("std", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        unit: Tensor = self.head(x)
        return self.mean[: x.shape[1]] + self.std * unit.squeeze(-1)

    def last_layer(self) -> Iterator[Tensor]:
        return self.head[-1].parameters()

    def follow(self, target: Tensor, mask: Tensor) -> None:
        """Towards a new target, [B, T], in the steps that count; where no lane was, the mean stays."""
        steps, reached = target.shape[1], mask.sum(0)
        now = self.mean[:steps]
        seen = (target * mask).sum(0) / reached.clamp(min=1)
        now.lerp_(seen.where(reached > 0, now), self.rate)
        spread = (((target - now).square() * mask).sum() / mask.sum()).sqrt()
        self.std.lerp_(spread.clamp(min=1e-3), self.rate)


class Members(nn.Module):
    """Networks of one shape side by side: [..., in], read by all of them, -> [members, ..., out]."""

    def __init__(self, members: int, *widths: int, bend: Callable[[Tensor], Tensor] = torch.relu_):
        """`bend` stands between two layers and may overwrite what it is given."""
        super().__init__()
        shapes = list(pairwise(widths))
        self.weights = nn.ParameterList(_uniform(members, fan_in, fan_out) for fan_in, fan_out in shapes)
        self.biases = nn.ParameterList(torch.zeros(members, 1, fan_out) for _, fan_out in shapes)
        self.bend = bend

    def forward(self, x: Tensor, still: bool = False) -> Tensor:
        """`still`: no gradient reaches the weights, only x."""
        out = self.each(x.flatten(0, -2).expand(len(self.weights[0]), -1, -1), still)
        return out.view(len(out), *x.shape[:-1], -1)

    def each(self, h: Tensor, still: bool = False) -> Tensor:
        """Every member reads rows of its own: [members, n, in] -> [members, n, out]."""
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if still:
                weight, bias = weight.detach(), bias.detach()
            h = torch.baddbmm(bias, h, weight)
            h = self.bend(h) if place < len(self.weights) - 1 else h
        return h

    def last_layer(self) -> Iterator[Tensor]:
        return iter((self.weights[-1], self.biases[-1]))


class Ensemble(Members):
    """Members that each have a number to say: [..., in] -> [members, ...]."""

    def __init__(self, members: int, *widths: int):
        super().__init__(members, *widths, 1)

    def forward(self, x: Tensor, still: bool = False) -> Tensor:
        return super().forward(x, still).squeeze(-1)


def _uniform(members: int, fan_in: int, fan_out: int) -> Tensor:
    return (2 * torch.rand(members, fan_in, fan_out) - 1) / sqrt(fan_in)


Network = TypeVar("Network", bound=nn.Module)


def frozen_copy(network: Network) -> Network:
    """The same network with the same weights, which no gradient moves."""
    copy = deepcopy(network)
    return copy.requires_grad_(False)


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, rate: float) -> None:
    """θ̄ ← θ̄ + τ (θ − θ̄), of every weight."""
    torch._foreach_lerp_(list(slow.parameters()), list(fast.parameters()), rate)


class PolicyHead(nn.Module):
    """From features to a distribution over actions: one of A, or A numbers where actions are continuous."""

    def __init__(self, spec: Spec, width: int, hidden: tuple[int, ...], bounded: bool = False):
        """`bounded`: continuous ones have their mean inside (−1, 1) and σ in [e⁻⁵, e²]."""
        super().__init__()
        self.net = mlp(width, *hidden, spec.actions, last_gain=0.01)
        self.log_std = None if spec.discrete else nn.Parameter(torch.full((spec.actions,), -0.5))
        self.bounded = bounded

    def forward(self, z: Tensor) -> "Categorical | Gaussian":
        return self.says(self.net(z))

    def says(self, out: Tensor) -> "Categorical | Gaussian":
        """What the network's numbers mean."""
        if self.log_std is None:
            return Categorical(out.log_softmax(-1))
        return (
            Gaussian(out.tanh(), self.log_std.clamp(-5, 2)) if self.bounded else Gaussian(out, self.log_std)
        )

    def last_layer(self) -> Iterator[Tensor]:
        yield from self.net[-1].parameters()
        if self.log_std is not None:
            yield self.log_std


@dataclass(frozen=True)
class Categorical:
    log_p: Tensor  # [..., A]

    def sample(self, rng: Generator) -> Tensor:
        return sample_categorical(self.log_p, rng)

    def mode(self) -> Tensor:
        return self.log_p.argmax(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        """Of actions by their index, [...], or one-hot, [..., A]."""
        if action.dtype.is_floating_point:
            return (self.log_p * action).sum(-1)
        return self.log_p.gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return categorical_entropy(self.log_p)


@dataclass(frozen=True)
class Gaussian:
    """Independent numbers with a spread that does not depend on the state."""

    mean: Tensor  # [..., A]
    log_std: Tensor  # [A]

    def sample(self, rng: Generator) -> Tensor:
        return self.mean + self.log_std.exp() * torch.randn(self.mean.shape, generator=rng)

    def mode(self) -> Tensor:
        return self.mean

    def log_prob(self, action: Tensor) -> Tensor:
        return gaussian_log_prob(action, self.mean, self.log_std)

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 * log(2 * pi * e)).sum().expand(self.mean.shape[:-1])


class SquashedHead(nn.Module):
    """From features to numbers inside (−1, 1): a = tanh(u), u ~ N(μ(x), σ(x)²), σ in [e⁻⁵, e²]."""

    def __init__(self, spec: Spec, width: int, hidden: tuple[int, ...]):
        super().__init__()
        self.net = mlp(width, *hidden, 2 * spec.actions, last_gain=0.01)

    def forward(self, x: Tensor) -> "Squashed":
        mean, log_std = self.net(x).chunk(2, dim=-1)
        return Squashed(mean, log_std.clamp(-5, 2))

    def last_layer(self) -> Iterator[Tensor]:
        return self.net[-1].parameters()


@dataclass(frozen=True)
class Squashed:
    mean: Tensor  # [..., A], before it is squashed
    log_std: Tensor  # [..., A]

    def repeated(self, times: int) -> "Squashed":
        """So many of each: [..., A] -> [..., times, A]."""
        return Squashed(
            *(x.unsqueeze(-2).repeat_interleave(times, dim=-2) for x in (self.mean, self.log_std))
        )

    def sample(self, rng: Generator) -> Tensor:
        return self.draw(rng)[0]

    def draw(self, rng: Generator) -> tuple[Tensor, Tensor]:
        """An action through which gradients pass, and its log-probability.

        log π(a) = log N(u) − Σ log(1 − tanh² u),   log(1 − tanh² u) = 2 (log 2 − u − softplus(−2u))
        """
        unit = torch.randn(self.mean.shape, generator=rng)
        u = self.mean + self.log_std.exp() * unit
        normal = unit.square() / 2 + self.log_std + 0.5 * log(2 * pi)
        shrunk = 2 * (log(2) - u - softplus(-2 * u))
        return u.tanh(), -(normal + shrunk).sum(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        """Of actions that others chose, those at an edge as if a little inside."""
        inside = action.clamp(-1 + EDGE, 1 - EDGE)
        shrunk = torch.log1p(-inside.square()).sum(-1)
        return gaussian_log_prob(inside.atanh(), self.mean, self.log_std) - shrunk

    def mode(self) -> Tensor:
        return self.mean.tanh()


def sample_categorical(log_prob: Tensor, rng: Generator) -> Tensor:
    """Draw an index from each row by inverting the cumulative distribution; [B, A] -> [B]."""
    cdf = log_prob.exp().cumsum(-1)
    u = torch.rand(len(cdf), 1, generator=rng) * cdf[:, -1:]
    return (u >= cdf[:, :-1]).sum(-1)
