"""On-policy training: draw tasks, live one trial in each, improve on those trials, forget them.

Every iteration draws its tasks anew. Minibatches are whole trials, so memory is trained through its
full length. Nothing here knows which encoder or learner it has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.utils import clip_grad_norm_

from metairl.agent import Agent
from metairl.rollout import rollout
from metairl.streams import stream
from metairl.types import Trial, World

MakeWorld = Callable[[int, Generator, Generator], World]  # lanes, task stream, world noise -> new tasks


@dataclass(frozen=True)
class Config:
    trials: int = 1024  # tasks an iteration, one trial each
    epochs: int = 4  # passes over an iteration's trials
    minibatches: int = 4  # gradient steps a pass
    learning_rate: float = 1e-3  # Adam, falling linearly to zero over the budget
    decay: float = 0.0  # of weights, a step, times the learning rate (AdamW)
    max_gradient: float = 1.0  # norm above which a gradient is scaled down


class OnPolicy:
    def __init__(self, agent: Agent, make_world: MakeWorld, config: Config, seed: int):
        self.agent = agent
        self.make_world = make_world
        self.config = config
        weights = agent.networks.parameters()
        self.optimiser = torch.optim.AdamW(
            weights, lr=config.learning_rate, eps=1e-5, weight_decay=config.decay
        )
        self.streams = {name: stream("train", name, seed) for name in ("tasks", "world", "act", "shuffle")}
        self.env_steps = 0
        self.gradient_steps = 0

    def iterate(self, progress: float) -> dict[str, float]:
        """One iteration; `progress` in [0, 1) is the share of the budget already spent."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * (1 - progress)
        world = self.make_world(self.config.trials, self.streams["tasks"], self.streams["world"])
        trial = rollout(self.agent.policy(explore=True), world, self.streams["act"], self.agent.sight)
        counts = trial.outcome.counts
        self.env_steps += int(counts.sum())
        sums = self._improve(trial, progress)
        total = (trial.outcome.reward * counts).sum(1).mean().item()
        lost = (trial.outcome.lost & counts).sum().item()
        return {"return": total} | {k: v.item() for k, v in sums.items()} | {"lost": lost}

    def state(self) -> dict[str, Any]:
        return {
            "networks": self.agent.networks.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "streams": {name: rng.get_state() for name, rng in self.streams.items()},
            "env_steps": self.env_steps,
            "gradient_steps": self.gradient_steps,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.agent.networks.load_state_dict(state["networks"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name, rng in self.streams.items():
            rng.set_state(state["streams"][name])
        self.env_steps, self.gradient_steps = state["env_steps"], state["gradient_steps"]

    def _improve(self, trial: Trial, progress: float) -> dict[str, Tensor]:
        context = trial.context(self.agent.sight)  # once: every pass reads the same
        with torch.no_grad():
            features, _ = self.agent.features(context, trial)
        targets = self.agent.learner.targets(features, progress)
        sums: dict[str, Tensor] = {}
        before = self.gradient_steps
        for _ in range(self.config.epochs):
            order = torch.randperm(self.config.trials, generator=self.streams["shuffle"])
            for rows in order.chunk(self.config.minibatches):
                features, aux = self.agent.features(context[rows], trial[rows])
                losses = self.agent.learner.losses(features, targets[rows]) | {"encoder": aux}
                losses["gradient"] = self._descend(losses)
                for name, loss in losses.items():
                    sums[name] = sums.get(name, torch.zeros(())) + loss.detach()
        rounds = self.gradient_steps - before
        return {name: total / rounds for name, total in sums.items()}

    def _descend(self, losses: dict[str, Tensor]) -> Tensor:
        """One step down the sum of the losses; the gradient's norm before it was scaled."""
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        norm = clip_grad_norm_(self.agent.networks.parameters(), self.config.max_gradient)
        self.optimiser.step()
        self.gradient_steps += 1
        return norm
