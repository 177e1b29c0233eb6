"""An encoder and a learner made one: it acts in lockstep with a world and turns trials into features."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from metairl.types import Context, Encoding, Features, Sight, State, Trial

Objective = Literal["trial", "episode"]  # whether a return counts the episodes that follow its own


class Encoder(Protocol):
    """Context in, task embedding out; one call serves a whole trial and a single step."""

    width: int  # Z
    parts: int  # that trials of uneven length are worked through in; 1 where steps take turns anyway

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
        came = trial.outcome
        z, aux = self._encode(context, came.counts.sum(1))
        counts = came.counts.to(came.reward.dtype)
        follows = torch.cat([counts[:, 1:], torch.zeros_like(counts[:, :1])], dim=1)
        if self.objective == "episode":
            follows = follows * (1 - came.done.to(counts.dtype))
        return Features(z, trial.action, came.reward, follows, counts), aux

    def _encode(self, context: Context, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """z of every step that counts, and the encoder's loss.

        Trials of like length go together, so that little is spent beyond a trial's end, where z is 0.
        """
        lanes, steps = context.prev_done.shape
        if self.encoder.parts == 1 or int(lengths.min()) == steps:
            whole = self.encoder(context, self.encoder.initial(lanes))
            return whole.z, whole.aux
        order = lengths.argsort()
        parts = order.chunk(self.encoder.parts)
        encodings = [self._encode_part(context[rows], int(lengths[rows].max())) for rows in parts]
        z = torch.cat([pad(e.z, (0, 0, 0, steps - e.z.shape[1])) for e in encodings])
        share = torch.tensor([len(rows) / lanes for rows in parts])
        return z[order.argsort()], share @ torch.stack([e.aux for e in encodings])

    def _encode_part(self, context: Context, longest: int) -> Encoding:
        return self.encoder(context.until(longest), self.encoder.initial(len(context.obs)))


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
