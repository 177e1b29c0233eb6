"""What a world does next, learned from logs: an ensemble that also says how sure it is (Chua et al. 2018,
arXiv:1805.12114; as Yu et al. 2020, arXiv:2005.13239, fit it).

    x       = ([o, a] − m) / s,  [o, a, c] where the task c is told;  y = (o′ − o, r)
    μ_i, v  = f_i(x)                                                    member i of M
    v′      = v⁺_i − softplus(v⁺_i − v),   log σ_i² = v⁻_i + softplus(v′ − v⁻_i)
    L_i     = mean[ (μ_i − y)² / σ_i² + log σ_i² ] + b Σ (v⁺_i − v⁻_i) + Σ_l w_l |θ_il|² / 2
    e_i     = mean (μ_i − y)² on the hold-out                           after every pass
    elites  = the E members of least e_i, everyone as it was at its best
    unexplained = mean of the elites' e_i / mean var y                  on the hold-out

m and s are of the training part. Every member learns from its own bootstrap of it, [M, n] rows drawn with
replacement, until P passes in a row have left no member better by a share g. Ends are not learned.

Departures: bounds v⁺ and v⁻ of every member's own, so that no member's loss reaches another.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import silu, softplus

from metairl.core.networks import Members
from metairl.core.types import Spec
from metairl.data.replay import Replay


@dataclass(frozen=True)
class Config:
    members: int = 7  # M
    elites: int = 5  # E
    hidden: tuple[int, ...] = (200, 200, 200, 200)  # layers of every f_i
    bounds: float = 0.01  # b
    decay: tuple[float, ...] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)  # w_l; its last one for all layers after
    held: float = 0.2  # share of the transitions that is held out
    held_most: int = 1000  # transitions that are, at most
    batch: int = 256  # transitions of a gradient step, for every member
    learning_rate: float = 1e-3  # Adam
    patience: int = 5  # P
    gain: float = 0.01  # g
    passes: int = 200  # at most


class DynamicsEnsemble(nn.Module):
    middle: Tensor
    scale: Tensor
    errors: Tensor
    variance: Tensor
    elites: Tensor

    def __init__(self, spec: Spec, told: bool, config: Config):
        """`told`: tasks are read too."""
        super().__init__()
        self.config, self.told = config, told
        width, says = spec.obs + spec.actions + told * spec.params, spec.obs + 1
        self.net = Members(config.members, width, *config.hidden, 2 * says, bend=silu)
        self.highest = nn.Parameter(torch.full((config.members, 1, says), 0.5))  # v⁺
        self.lowest = nn.Parameter(torch.full((config.members, 1, says), -10.0))  # v⁻
        self.register_buffer("middle", torch.zeros(width))  # m
        self.register_buffer("scale", torch.ones(width))  # s
        self.register_buffer("errors", torch.full((config.members,), torch.inf))  # e
        self.register_buffer("variance", torch.tensor(torch.inf))  # mean var y
        self.register_buffer("elites", torch.arange(min(config.elites, config.members)))

    @property
    def unexplained(self) -> float:
        return float(self.errors[self.elites].mean() / self.variance)

    def reads(self, obs: Tensor, action: Tensor, task: Tensor) -> Tensor:
        """[o, a], or [o, a, c], one row a transition."""
        return torch.cat([obs, action, task] if self.told else [obs, action], dim=-1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² by every member of rows of its own, [M, n, in] -> [M, n, O + 1]."""
        mean, log_var = self.net.each((x - self.middle) / self.scale).chunk(2, dim=-1)
        log_var = self.highest - softplus(self.highest - log_var)
        return mean, self.lowest + softplus(log_var - self.lowest)

    @torch.no_grad()
    def predict(self, obs: Tensor, action: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of (o′, r) by every member, [M, B, O + 1]."""
        mean, log_var = self(self.reads(obs, action, task).expand(self.config.members, -1, -1))
        mean[..., :-1] += obs
        return mean, (log_var / 2).exp()

    def losses(self, x: Tensor, y: Tensor) -> Tensor:
        """L_i of rows of every member's own, without the last term, [M]."""
        mean, log_var = self(x)
        surprise: Tensor = ((mean - y).square() * (-log_var).exp() + log_var).mean((1, 2))
        return surprise + self.config.bounds * (self.highest - self.lowest).sum((1, 2))

    def standardise(self, x: Tensor) -> None:
        """What never varies is centred alone."""
        std = x.std(0, correction=0)
        self.middle.copy_(x.mean(0))
        self.scale.copy_(std.where(std > 1e-6, 1.0))

    @torch.no_grad()
    def misses(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean squared error of every member, of the same rows, [M]."""
        mean, _ = self(x.expand(self.config.members, -1, -1))
        squares: Tensor = (mean - y).square().mean((1, 2))
        return squares


def fit(model: DynamicsEnsemble, logs: Replay, rng: Generator) -> None:
    config = model.config
    x, y = _lessons(model, logs)
    order = torch.randperm(len(x), generator=rng)
    held, rest = order.tensor_split([_held(len(x), config)])
    own = rest[torch.randint(len(rest), (config.members, len(rest)), generator=rng)]  # [M, n]
    model.standardise(x[rest])
    model.variance.copy_(y[held].var(0, correction=0).mean())
    best, waited = Best(model), 0
    optimiser = torch.optim.Adam(_decayed(model), lr=config.learning_rate, fused=True)
    for _ in range(config.passes):
        _pass(model, optimiser, x, y, own, rng)
        waited = 0 if best.keep(model.misses(x[held], y[held])) else waited + 1
        if waited == config.patience:
            break
    best.restore()


def _lessons(model: DynamicsEnsemble, logs: Replay) -> tuple[Tensor, Tensor]:
    """What is read and what is to be said of every transition, a row each."""
    every = logs.all_transitions()
    there = every.mask > 0
    task = every.task.unsqueeze(1).expand(-1, there.shape[1], -1)
    x = model.reads(every.obs[there], every.action[there], task[there])
    moved = every.next_obs[there] - every.obs[there]
    return x, torch.cat([moved, every.reward[there].unsqueeze(1)], dim=1)


def _held(transitions: int, config: Config) -> int:
    return min(max(1, round(config.held * transitions)), config.held_most)


def _decayed(model: DynamicsEnsemble) -> Iterator[dict[str, object]]:
    """Every layer's weights with the decay that is theirs, and all else without."""
    decay = model.config.decay
    for place, weight in enumerate(model.net.weights):
        yield {"params": [weight], "weight_decay": decay[min(place, len(decay) - 1)]}
    yield {"params": [*model.net.biases, model.highest, model.lowest]}


def _pass(
    model: DynamicsEnsemble,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    own: Tensor,
    rng: Generator,
) -> None:
    """Once through every member's rows, each in an order of its own."""
    order = torch.rand(own.shape, generator=rng).argsort(1)
    for rows in torch.split(own.gather(1, order), model.config.batch, dim=1):
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(model.losses(x[rows], y[rows]).sum())
        optimiser.step()


class Best:
    """Every member as it was when its error was least, and the elites among them."""

    def __init__(self, model: DynamicsEnsemble):
        self.model = model
        self.weights = [weight.detach().clone() for weight in model.parameters()]
        self.errors = torch.full((model.config.members,), torch.inf)

    def keep(self, errors: Tensor) -> bool:
        """Those that are better now by more than a trifle; whether there were any."""
        better = errors < (1 - self.model.config.gain) * self.errors
        self.errors = errors.where(better, self.errors)
        for kept, weight in zip(self.weights, self.model.parameters(), strict=True):
            kept[better] = weight.detach()[better]
        return bool(better.any())

    @torch.no_grad()
    def restore(self) -> None:
        for weight, kept in zip(self.model.parameters(), self.weights, strict=True):
            weight.copy_(kept)
        self.model.errors.copy_(self.errors)
        self.model.elites.copy_(self.errors.argsort()[: len(self.model.elites)])
