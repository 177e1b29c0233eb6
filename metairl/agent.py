"""An encoder and a learner made one: it acts in lockstep with a world and turns trials into features."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Generator, Tensor, nn

from metairl.types import Context, Encoding, Features, Sight, State, Trial

Objective = Literal["trial", "episode"]  # whether a return counts the episodes that follow its own


class Encoder(Protocol):
    """Context in, task embedding out; one call serves a whole trial and a single step."""

    width: int  # Z

    def initial(self, lanes: int) -> State: ...

    def __call__(self, context: Context, state: State) -> Encoding: ...


class Learner(Protocol):
    """Networks on z, and the losses that improve them. `targets` is what one iteration holds fixed.

    `progress` in [0, 1) is the share of the training budget already spent.
    """

    def act(self, z: Tensor, rng: Generator, explore: bool) -> Tensor: ...

    def targets(self, f: Features, progress: float) -> Any: ...

    def losses(self, f: Features, old: Any) -> dict[str, Tensor]: ...


class Agent:
    def __init__(self, encoder: Encoder, learner: Learner, objective: Objective, sight: Sight):
        self.encoder = encoder
        self.learner = learner
        self.objective = objective
        self.sight = sight
        parts: dict[str, Any] = {"encoder": encoder, "learner": learner}
        self.networks = nn.ModuleDict(parts)

    def policy(self, explore: bool) -> "Acting":
        return Acting(self, explore)

    def features(self, context: Context, trial: Trial) -> tuple[Features, Tensor]:
        """The trial as the learner reads it, and the encoder's own loss."""
        encoding = self.encoder(context, self.encoder.initial(len(trial.obs)))
        came = trial.outcome
        counts = came.counts.to(came.reward.dtype)
        follows = torch.cat([counts[:, 1:], torch.zeros_like(counts[:, :1])], dim=1)
        if self.objective == "episode":
            follows = follows * (1 - came.done.to(counts.dtype))
        return Features(encoding.z, trial.action, came.reward, follows, counts), encoding.aux


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
