"""An encoder and a learner made one: it acts in lockstep with a world and turns trials into features."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor, nn

from metairl.types import Context, Encoding, Features, Sight, State, Trial

Objective = Literal["trial", "episode"]  # whether a return counts the episodes that follow its own


class Encoder(Protocol):
    """Context in, task embedding out; one call serves a whole trial and a single step."""

    sees_task: bool
    width: int  # Z

    def initial(self, lanes: int) -> State: ...

    def __call__(self, context: Context, state: State) -> Encoding: ...


class Learner(Protocol):
    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor: ...


class Agent(nn.Module):
    def __init__(self, encoder: nn.Module, learner: nn.Module, objective: Objective, sight: Sight):
        super().__init__()
        self.encoder = encoder
        self.learner = learner
        self.objective = objective
        self.sight = sight

    def policy(self, explore: bool) -> "Acting":
        return Acting(self, explore)

    def features(self, trial: Trial) -> tuple[Features, Tensor]:
        """The trial as the learner reads it, and the encoder's own loss."""
        encoding = self.encoder(trial.context(self.sight), self.encoder.initial(len(trial.obs)))
        stops = trial.done if self.objective == "episode" else torch.zeros_like(trial.done)
        follows = 1 - stops.to(trial.reward.dtype)
        follows[:, -1] = 0
        return Features(encoding.z, trial.action, trial.reward, follows), encoding.aux


@dataclass(frozen=True)
class Acting:
    """An agent as a policy: it samples while it trains (`explore`) and takes the mode when judged."""

    agent: Agent
    explore: bool

    def initial(self, lanes: int) -> State:
        return self.agent.encoder.initial(lanes)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        encoding = self.agent.encoder(context, state)
        return self.agent.learner.act(encoding.z[:, 0], rng, self.explore), encoding.state
