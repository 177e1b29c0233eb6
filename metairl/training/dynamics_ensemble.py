"""A probabilistic dynamics ensemble (Chua et al. 2018, PETS, arXiv:1805.12114), fitted as in MOPO (Yu et al. 2020,
arXiv:2005.13239).

    x       = ([o, a] − m) / s,  [o, a, c] where the task c is observed;  y = (o′ − o, r)
    μ_i, v  = f_i(x)                                                    member i of M
    v′      = v⁺_i − softplus(v⁺_i − v),   log σ_i² = v⁻_i + softplus(v′ − v⁻_i)
    L_i     = mean[ (μ_i − y)² / σ_i² + log σ_i² ] + b Σ (v⁺_i − v⁻_i) + Σ_l w_l |θ_il|² / 2
    e_i     = mean (μ_i − y)² on the hold-out                           after every epoch
    elites  = the E members of least e_i, each with its best weights
    unexplained = mean of the elites' e_i / mean var y                  on the hold-out

m and s are computed on the training part. Every member is trained on its own bootstrap sample of it, [M, n] rows
with replacement, until P epochs in a row have improved no member by a share g. Termination is not learned.

Departures: every member has its own bounds v⁺ and v⁻, so that no member's loss affects another.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import silu, softplus

from metairl.core.networks import ParallelMLPs
from metairl.core.types import Spec
from metairl.data.replay import Replay


@dataclass(frozen=True)
class Config:
    members: int = 7  # networks in the ensemble (M)
    elites: int = 5  # members that predict, those of least held-out error (E)
    hidden: tuple[int, ...] = (200, 200, 200, 200)  # hidden layers of every member
    bounds: float = 0.01  # weight of the term that tightens the variance bounds (b)
    decay: tuple[float, ...] = (
        2.5e-5,
        5e-5,
        7.5e-5,
        7.5e-5,
        1e-4,
    )  # weight decay by layer; the last for the rest
    holdout: float = 0.2  # share of the transitions that is held out
    max_holdout: int = 1000  # transitions held out at most
    batch: int = 256  # transitions in a gradient step, for every member
    learning_rate: float = 1e-3  # of Adam
    patience: int = 5  # epochs without improvement before fitting stops (P)
    min_improvement: float = 0.01  # share by which a held-out error must fall to count (g)
    epochs: int = 200  # at most


class DynamicsEnsemble(nn.Module):
    middle: Tensor
    scale: Tensor
    errors: Tensor
    variance: Tensor
    elites: Tensor

    def __init__(self, spec: Spec, task_observed: bool, config: Config):
        """`task_observed`: task parameters are an input too."""
        super().__init__()
        self.config, self.task_observed = config, task_observed
        width, outputs = spec.obs + spec.actions + task_observed * spec.params, spec.obs + 1
        self.net = ParallelMLPs(config.members, width, *config.hidden, 2 * outputs, activation=silu)
        self.highest = nn.Parameter(torch.full((config.members, 1, outputs), 0.5))  # v⁺
        self.lowest = nn.Parameter(torch.full((config.members, 1, outputs), -10.0))  # v⁻
        self.register_buffer("middle", torch.zeros(width))  # m
        self.register_buffer("scale", torch.ones(width))  # s
        self.register_buffer("errors", torch.full((config.members,), torch.inf))  # e
        self.register_buffer("variance", torch.tensor(torch.inf))  # mean var y
        self.register_buffer("elites", torch.arange(min(config.elites, config.members)))

    @property
    def unexplained(self) -> float:
        """Share of the variance that the elites leave unexplained."""
        return float(self.errors[self.elites].mean() / self.variance)

    def inputs(self, obs: Tensor, action: Tensor, task: Tensor) -> Tensor:
        """[o, a], or [o, a, c], one row a transition."""
        return torch.cat([obs, action, task] if self.task_observed else [obs, action], dim=-1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of every member for its own rows, [M, n, in] -> [M, n, O + 1]."""
        mean, log_var = self.net.forward_each((x - self.middle) / self.scale).chunk(2, dim=-1)
        log_var = self.highest - softplus(self.highest - log_var)
        return mean, self.lowest + softplus(log_var - self.lowest)

    @torch.no_grad()
    def predict(self, obs: Tensor, action: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of (o′, r) by every member, [M, B, O + 1]."""
        mean, log_var = self(self.inputs(obs, action, task).expand(self.config.members, -1, -1))
        mean[..., :-1] += obs
        return mean, (log_var / 2).exp()

    def losses(self, x: Tensor, y: Tensor) -> Tensor:
        """L_i of every member on its own rows, without weight decay, [M]."""
        mean, log_var = self(x)
        likelihood: Tensor = ((mean - y).square() * (-log_var).exp() + log_var).mean((1, 2))
        return likelihood + self.config.bounds * (self.highest - self.lowest).sum((1, 2))

    def standardise(self, x: Tensor) -> None:
        """Sets m and s; constant inputs are only centred."""
        std = x.std(0, correction=0)
        self.middle.copy_(x.mean(0))
        self.scale.copy_(std.where(std > 1e-6, 1.0))

    @torch.no_grad()
    def squared_errors(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean squared error of every member on the same rows, [M]."""
        mean, _ = self(x.expand(self.config.members, -1, -1))
        squares: Tensor = (mean - y).square().mean((1, 2))
        return squares


def fit(model: DynamicsEnsemble, dataset: Replay, rng: Generator) -> None:
    """Trains the members until none improves on the hold-out; restores each one's best weights."""
    config = model.config
    x, y = _inputs_and_targets(model, dataset)
    order = torch.randperm(len(x), generator=rng)
    holdout, train = order.tensor_split([_holdout_size(len(x), config)])
    bootstrap = train[torch.randint(len(train), (config.members, len(train)), generator=rng)]  # [M, n]
    model.standardise(x[train])
    model.variance.copy_(y[holdout].var(0, correction=0).mean())
    best, waited = BestWeights(model), 0
    optimiser = torch.optim.Adam(_decayed(model), lr=config.learning_rate, fused=True)
    for _ in range(config.epochs):
        _epoch(model, optimiser, x, y, bootstrap, rng)
        waited = 0 if best.update(model.squared_errors(x[holdout], y[holdout])) else waited + 1
        if waited == config.patience:
            break
    best.restore()


def _inputs_and_targets(model: DynamicsEnsemble, dataset: Replay) -> tuple[Tensor, Tensor]:
    """x [n, in] and y [n, O + 1] of all transitions."""
    data = dataset.all_transitions()
    valid = data.mask > 0
    task = data.task.unsqueeze(1).expand(-1, valid.shape[1], -1)
    x = model.inputs(data.obs[valid], data.action[valid], task[valid])
    change = data.next_obs[valid] - data.obs[valid]
    return x, torch.cat([change, data.reward[valid].unsqueeze(1)], dim=1)


def _holdout_size(transitions: int, config: Config) -> int:
    return min(max(1, round(config.holdout * transitions)), config.max_holdout)


def _decayed(model: DynamicsEnsemble) -> Iterator[dict[str, object]]:
    """Parameter groups: every layer's weights with its weight decay, all other parameters without."""
    decay = model.config.decay
    for layer, weight in enumerate(model.net.weights):
        yield {"params": [weight], "weight_decay": decay[min(layer, len(decay) - 1)]}
    yield {"params": [*model.net.biases, model.highest, model.lowest]}


def _epoch(
    model: DynamicsEnsemble,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    bootstrap: Tensor,
    rng: Generator,
) -> None:
    """One pass over every member's bootstrap sample, in an order of its own."""
    order = torch.rand(bootstrap.shape, generator=rng).argsort(1)
    for rows in torch.split(bootstrap.gather(1, order), model.config.batch, dim=1):
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(model.losses(x[rows], y[rows]).sum())
        optimiser.step()


class BestWeights:
    """Every member's weights at its least held-out error."""

    def __init__(self, model: DynamicsEnsemble):
        self.model = model
        self.weights = [weight.detach().clone() for weight in model.parameters()]
        self.errors = torch.full((model.config.members,), torch.inf)

    def update(self, errors: Tensor) -> bool:
        """Stores the weights of members that have improved; returns whether any has."""
        better = errors < (1 - self.model.config.min_improvement) * self.errors
        self.errors = errors.where(better, self.errors)
        for stored, weight in zip(self.weights, self.model.parameters(), strict=True):
            stored[better] = weight.detach()[better]
        return bool(better.any())

    @torch.no_grad()
    def restore(self) -> None:
        """Puts the best weights back into the model, and selects the elites."""
        for weight, stored in zip(self.model.parameters(), self.weights, strict=True):
            weight.copy_(stored)
        self.model.errors.copy_(self.errors)
        self.model.elites.copy_(self.errors.argsort()[: len(self.model.elites)])
