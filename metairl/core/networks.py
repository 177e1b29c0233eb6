"""Network modules and action distributions that several methods share."""

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

PICTURE_WIDTH = 256  # features of an image observation
MARGIN = 1e-4  # to ±1 that actions are clamped to before atanh


def linear(fan_in: int, fan_out: int, gain: float) -> nn.Linear:
    """Orthogonal weights (Saxe et al. 2014, arXiv:1312.6120), zero bias."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def mlp(*widths: int, last_gain: float) -> nn.Sequential:
    """Linear layers with ReLU between them; `last_gain` scales the initial weights of the output layer."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths[:-1]):
        layers += [linear(fan_in, fan_out, gain=2**0.5), nn.ReLU()]
    return nn.Sequential(*layers, linear(widths[-2], widths[-1], gain=last_gain))


class ObservationEncoder(nn.Module):
    """Features of observations: vectors unchanged, images through a small convolutional network.

    Two convolutions of 16 filters, 5 × 5 with stride 2, then one linear layer, as for the mazes of RL²
    (Duan et al. 2016, arXiv:1611.02779) and SNAIL (Mishra et al. 2018, arXiv:1707.03141).
    """

    def __init__(self, spec: Spec):
        super().__init__()
        self.picture = spec.picture
        self.width = PICTURE_WIDTH if spec.picture else spec.obs
        if spec.picture:
            colours, rows, columns = spec.picture
            size = 16 * _convolved(_convolved(rows)) * _convolved(_convolved(columns))
            convolutions = [nn.Conv2d(colours, 16, 5, 2), nn.ReLU(), nn.Conv2d(16, 16, 5, 2), nn.ReLU()]
            self.net = nn.Sequential(*convolutions, nn.Flatten(), linear(size, self.width, 2**0.5), nn.ReLU())

    def forward(self, obs: Tensor) -> Tensor:
        """[B, T, O] -> [B, T, width]."""
        if self.picture is None:
            return obs
        frames = obs.reshape(-1, *self.picture).float() / 127.5 - 1
        features: Tensor = self.net(frames)
        return features.view(*obs.shape[:2], self.width)


def _convolved(pixels: int) -> int:
    """Output size of a 5 × 5 convolution with stride 2."""
    return (pixels - 5) // 2 + 1


class RescaledValueHead(nn.Module):
    """A value head whose output is shifted and scaled by running statistics of its targets y.

    v_t = m_t + s · f(x_t),    m_t ← m_t + κ (mean(y_t) − m_t),    s ← s + κ (rms(y_t − m_t) − s)

    After PopArt (van Hasselt et al. 2016, arXiv:1602.07714), so that f stays near unit scale.
    **Departures**: one mean for each step t of a trial, so that f need not represent the time that is left;
    f's last layer is not corrected when the statistics change.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, head: nn.Sequential, steps: int, rate: float):
        """`steps`: T of the longest trial. `rate`: κ."""
        super().__init__()
        self.head = head
        self.rate = rate
        self.register_buffer("mean", torch.zeros(steps))
        self.register_buffer("std", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, in] -> [B, T]."""
        unit: Tensor = self.head(x)
        return self.mean[: x.shape[1]] + self.std * unit.squeeze(-1)

    def last_layer(self) -> Iterator[Tensor]:
        return self.head[-1].parameters()

    def update_statistics(self, target: Tensor, mask: Tensor) -> None:
        """Moves m and s towards those of new targets; both [B, T]. m_t stays where all lanes are masked."""
        steps, count = target.shape[1], mask.sum(0)
        mean = self.mean[:steps]
        target_mean = (target * mask).sum(0) / count.clamp(min=1)
        mean.lerp_(target_mean.where(count > 0, mean), self.rate)
        rms = (((target - mean).square() * mask).sum() / mask.sum()).sqrt()
        self.std.lerp_(rms.clamp(min=1e-3), self.rate)


class ParallelMLPs(nn.Module):
    """MLPs of one shape, evaluated as one batched product: [..., in] -> [members, ..., out]."""

    def __init__(self, members: int, *widths: int, activation: Callable[[Tensor], Tensor] = torch.relu_):
        """`activation` may work in place."""
        super().__init__()
        shapes = list(pairwise(widths))
        self.weights = nn.ParameterList(
            _uniform_weights(members, fan_in, fan_out) for fan_in, fan_out in shapes
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, fan_out) for _, fan_out in shapes)
        self.activation = activation

    def forward(self, x: Tensor, detach_weights: bool = False) -> Tensor:
        """All members on the same inputs. `detach_weights`: gradients flow to x only."""
        out = self.forward_each(x.flatten(0, -2).expand(len(self.weights[0]), -1, -1), detach_weights)
        return out.view(len(out), *x.shape[:-1], -1)

    def forward_each(self, h: Tensor, detach_weights: bool = False) -> Tensor:
        """Every member on its own inputs: [members, n, in] -> [members, n, out]."""
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if detach_weights:
                weight, bias = weight.detach(), bias.detach()
            h = torch.baddbmm(bias, h, weight)
            h = self.activation(h) if layer < len(self.weights) - 1 else h
        return h

    def last_layer(self) -> Iterator[Tensor]:
        return iter((self.weights[-1], self.biases[-1]))


class Ensemble(ParallelMLPs):
    """An ensemble of scalar MLPs, such as Q-functions: [..., in] -> [members, ...]."""

    def __init__(self, members: int, *widths: int):
        super().__init__(members, *widths, 1)

    def forward(self, x: Tensor, detach_weights: bool = False) -> Tensor:
        return super().forward(x, detach_weights).squeeze(-1)


def _uniform_weights(members: int, fan_in: int, fan_out: int) -> Tensor:
    return (2 * torch.rand(members, fan_in, fan_out) - 1) / sqrt(fan_in)


Network = TypeVar("Network", bound=nn.Module)


def frozen_copy(network: Network) -> Network:
    """A copy without gradients, such as a target network."""
    copy = deepcopy(network)
    return copy.requires_grad_(False)


@torch.no_grad()
def polyak_update(target: nn.Module, network: nn.Module, rate: float) -> None:
    """θ̄ ← θ̄ + τ (θ − θ̄) for every parameter θ̄ of the target network."""
    torch._foreach_lerp_(list(target.parameters()), list(network.parameters()), rate)


class PolicyHead(nn.Module):
    """Features to an action distribution: categorical, or Gaussian where actions are continuous."""

    def __init__(self, spec: Spec, width: int, hidden: tuple[int, ...], bounded: bool = False):
        """`bounded`: the Gaussian's mean is squashed to (−1, 1) and its σ clamped to [e⁻⁵, e²]."""
        super().__init__()
        self.net = mlp(width, *hidden, spec.actions, last_gain=0.01)
        self.log_std = None if spec.discrete else nn.Parameter(torch.full((spec.actions,), -0.5))
        self.bounded = bounded

    def forward(self, z: Tensor) -> "Categorical | Gaussian":
        return self.distribution(self.net(z))

    def distribution(self, out: Tensor) -> "Categorical | Gaussian":
        """The distribution with these outputs of the network as parameters."""
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
    """A distribution over A discrete actions."""

    log_p: Tensor  # [..., A]

    def sample(self, rng: Generator) -> Tensor:
        return sample_categorical(self.log_p, rng)

    def mode(self) -> Tensor:
        return self.log_p.argmax(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        """Of actions by index, [...], or one-hot, [..., A]."""
        if action.dtype.is_floating_point:
            return (self.log_p * action).sum(-1)
        return self.log_p.gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return categorical_entropy(self.log_p)


@dataclass(frozen=True)
class Gaussian:
    """A diagonal Gaussian with a standard deviation that does not depend on the state."""

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


class SquashedGaussianHead(nn.Module):
    """Features to a tanh-squashed Gaussian with σ in [e⁻⁵, e²] (SAC, Haarnoja et al. 2018, arXiv:1801.01290)."""

    def __init__(self, spec: Spec, width: int, hidden: tuple[int, ...]):
        super().__init__()
        self.net = mlp(width, *hidden, 2 * spec.actions, last_gain=0.01)

    def forward(self, x: Tensor) -> "SquashedGaussian":
        mean, log_std = self.net(x).chunk(2, dim=-1)
        return SquashedGaussian(mean, log_std.clamp(-5, 2))

    def last_layer(self) -> Iterator[Tensor]:
        return self.net[-1].parameters()


@dataclass(frozen=True)
class SquashedGaussian:
    """a = tanh(u), u ~ N(μ, σ²), independent for each dimension."""

    mean: Tensor  # [..., A], before squashing
    log_std: Tensor  # [..., A]

    def repeat(self, times: int) -> "SquashedGaussian":
        """Copies along a new axis: [..., A] -> [..., times, A]."""
        return SquashedGaussian(
            *(x.unsqueeze(-2).repeat_interleave(times, dim=-2) for x in (self.mean, self.log_std))
        )

    def sample(self, rng: Generator) -> Tensor:
        return self.sample_with_log_prob(rng)[0]

    def sample_with_log_prob(self, rng: Generator) -> tuple[Tensor, Tensor]:
        """A reparameterised sample and its log-probability.

        log π(a) = log N(u) − Σ log(1 − tanh² u),   log(1 − tanh² u) = 2 (log 2 − u − softplus(−2u))
        """
        unit = torch.randn(self.mean.shape, generator=rng)
        u = self.mean + self.log_std.exp() * unit
        normal = unit.square() / 2 + self.log_std + 0.5 * log(2 * pi)
        log_det = 2 * (log(2) - u - softplus(-2 * u))
        return u.tanh(), -(normal + log_det).sum(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        """Of given actions, clamped into the open interval (−1, 1)."""
        inside = action.clamp(-1 + MARGIN, 1 - MARGIN)
        log_det = torch.log1p(-inside.square()).sum(-1)
        return gaussian_log_prob(inside.atanh(), self.mean, self.log_std) - log_det

    def mode(self) -> Tensor:
        return self.mean.tanh()


def sample_categorical(log_prob: Tensor, rng: Generator) -> Tensor:
    """Samples an index from each row by inverting the cumulative distribution; [B, A] -> [B]."""
    cdf = log_prob.exp().cumsum(-1)
    u = torch.rand(len(cdf), 1, generator=rng) * cdf[:, -1:]
    return (u >= cdf[:, :-1]).sum(-1)
