"""What every training loop has: an optimiser, random streams, step counts, exact resume."""

from collections import Counter
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from metairl.core.rng import stream
from metairl.rewards.recovered import PolicyWithReward
from metairl.training.pcgrad import gradients_of, projected


class TrainingLoop:
    def __init__(
        self,
        networks: nn.Module,
        optimiser: Optimizer,
        max_gradient: float | None,
        seed: int,
        streams: tuple[str, ...],
    ):
        self.networks = networks
        self.optimiser = optimiser
        self.max_gradient = max_gradient
        self.streams = {name: stream("train", name, seed) for name in streams}
        self.env_steps = 0
        self.gradient_steps = 0

    @property
    def clock(self) -> int:
        """What the budget is counted in."""
        return self.env_steps

    def policy_with_reward(self) -> PolicyWithReward | None:
        """The policy with the reward that was learned beside it; None: there is no such reward."""
        return None

    def iterate(self, progress: float) -> dict[str, float]:
        """One iteration, and its metrics; `progress` in [0, 1) is the share of the budget already spent."""
        raise NotImplementedError

    def anneal_lr(self, progress: float) -> None:
        """The learning rate falls linearly to zero over the budget."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.optimiser.defaults["lr"] * (1 - progress)

    def optimizer_step(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """One step on the sum of the losses; returns them, and the gradient's norm where it is clipped."""
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        return losses | self._clipped_step()

    def pcgrad_step(self, losses: list[dict[str, Tensor]], rng: Generator) -> dict[str, Tensor]:
        """One step on the losses of several task families, conflicting gradients projected (pcgrad.py)."""
        weights = [weight for weight in self.networks.parameters() if weight.requires_grad]
        sums = [torch.stack(list(family.values())).sum() for family in losses]
        gradient = projected(gradients_of(sums, weights), rng)
        for weight, part in zip(weights, torch.split(gradient, [w.numel() for w in weights]), strict=True):
            weight.grad = part.view_as(weight)
        means = {name: torch.stack([family[name] for family in losses]).mean() for name in losses[0]}
        return means | self._clipped_step()

    def _clipped_step(self) -> dict[str, Tensor]:
        norm = {}
        if self.max_gradient is not None:
            norm = {"gradient_norm": clip_grad_norm_(self.networks.parameters(), self.max_gradient)}
        self.optimiser.step()
        self.gradient_steps += 1
        return norm

    def state(self) -> dict[str, Any]:
        return {
            "networks": self.networks.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "streams": {name: rng.get_state() for name, rng in self.streams.items()},
            "env_steps": self.env_steps,
            "gradient_steps": self.gradient_steps,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.networks.load_state_dict(state["networks"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name, rng in self.streams.items():
            rng.set_state(state["streams"][name])
        self.env_steps, self.gradient_steps = state["env_steps"], state["gradient_steps"]


class Means:
    """Mean losses over many steps, read from the device once at the end."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()

    def add(self, losses: dict[str, Tensor]) -> None:
        self.counts.update(losses.keys())
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, torch.zeros(())) + loss.detach()

    def read(self) -> dict[str, float]:
        return {name: (total / self.counts[name]).item() for name, total in self.sums.items()}
