"""An encoder and a learner made one: it acts in lockstep with a world and turns trials into features."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from metairl.core.interfaces import Encoder, Objective, RememberingLearner, SetEncoder
from metairl.core.types import (
    Batch,
    Context,
    Encoding,
    Features,
    Moves,
    Segment,
    Sight,
    State,
    Trial,
    taken_up,
)

Learns = TypeVar("Learns", covariant=True)
Reading = Callable[[Tensor], tuple[Features, Tensor]]  # some rows of a trial, and the encoder's own loss


class Agent(Generic[Learns]):
    def __init__(self, encoder: Encoder, learner: Learns, objective: Objective, sight: Sight):
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
        z, aux = self._encode(context, trial.outcome.counts.sum(1))
        return self._features(trial, z), aux

    def _features(self, trial: Trial, z: Tensor) -> Features:
        came = trial.outcome
        counts = came.counts.to(came.reward.dtype)
        follows = torch.cat([counts[:, 1:], torch.zeros_like(counts[:, :1])], dim=1)
        if self.objective == "episode":
            follows = follows * (1 - came.done.to(counts.dtype))
        return Features(z, trial.action, came.reward, follows, counts, came.done.to(counts.dtype))

    def reading(self, trial: Trial) -> "Reading":
        """Of a trial by what was known in it; once, since every pass reads the same."""
        context = trial.context(self.sight)
        return lambda rows: self.features(context[rows], trial[rows])

    def reading_inferred(self, trial: Trial, evidence: Batch) -> "Reading":
        """The same where tasks were inferred from evidence before."""

        def read(rows: Tensor) -> tuple[Features, Tensor]:
            belief, aux = self.inferring.believe(evidence[rows])
            some = trial[rows]
            drawn = None if some.chance is None else some.chance[:, 0]
            return self._features(some, self.inferring.given(belief, some.obs, drawn)), aux

        return read

    def seen(self, obs: Tensor, task: Tensor, evidence: Batch | None) -> Tensor:
        """z of observations, [B, T, O], of tasks that are told or inferred from evidence, without a past."""
        if evidence is None:
            return self.encoder(_without_past(obs, task), ()).z
        belief, _ = self.inferring.believe(evidence)
        return self.inferring.given(belief, obs, self._no_draw(len(belief)))

    def _no_draw(self, lanes: int) -> Tensor | None:
        return torch.zeros(lanes, self.sight.chance) if self.sight.chance else None

    @property
    def inferring(self) -> SetEncoder:
        assert isinstance(self.encoder, SetEncoder), "what it believes is inferred from evidence"
        return self.encoder

    def moves_apart(self, batch: Batch) -> tuple[Moves, Tensor]:
        """Transitions that are read without a past, as the learner reads them; the encoder's own loss."""
        z, after = (self.encoder(_without_past(obs, batch.task), ()) for obs in (batch.obs, batch.after))
        return _moves(batch, z.z, after.z, batch.terminated), z.aux

    def moves_inferred(self, batch: Batch, evidence: Batch, rng: Generator) -> tuple[Moves, Tensor]:
        """The same where the task is inferred from evidence; one draw a task."""
        encoder = self.inferring
        belief, aux = encoder.believe(evidence)
        lanes, draws = len(belief), self.sight.chance
        chance = torch.randn(lanes, draws, generator=rng) if draws else None
        z, after = (encoder.given(belief, obs, chance) for obs in (batch.obs, batch.after))
        return _moves(batch, z, after, batch.terminated), aux

    def moves_through(self, segment: Segment) -> tuple[Moves, Tensor]:
        """The same for steps in their order. An episode's end ends nothing, unless the trial is over too."""
        batch, empty = segment.batch, self.encoder.initial(len(segment.seen))
        memory = empty if segment.memory is None else taken_up(segment.memory, empty)
        whole = self.encoder(self._known(segment), memory)
        ended = batch.terminated * _last(batch.counts) * segment.over.unsqueeze(1)
        return _moves(batch, whole.z[:, :-1], whole.z[:, 1:], ended), whole.aux

    def _known(self, segment: Segment) -> Context:
        """What was known at every step and after the last, [B, T + 1]; there as if the episode went on."""
        batch, lanes = segment.batch, torch.arange(len(segment.seen))
        end = batch.counts.sum(1).long()
        obs = torch.cat([batch.obs, segment.seen.unsqueeze(1)], dim=1)
        done = torch.cat([segment.done.unsqueeze(1), batch.done], dim=1)
        obs[lanes, end] = segment.seen
        done[lanes, end] *= 1 - segment.over
        reward = torch.cat([segment.reward.unsqueeze(1), batch.reward], dim=1)
        return Context(
            obs=obs,
            prev_action=torch.cat([segment.action.unsqueeze(1), batch.action], dim=1),
            prev_reward=reward if self.sight.reward else None,
            prev_done=done,
            task=batch.task if self.sight.task else None,
        )

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


def _without_past(obs: Tensor, task: Tensor) -> Context:
    nothing = torch.zeros(obs.shape[:2])
    return Context(obs, nothing.unsqueeze(-1), None, nothing, task)


def _moves(batch: Batch, z: Tensor, after: Tensor, ended: Tensor) -> Moves:
    return Moves(z, batch.action, batch.learned, after, 1 - ended, batch.counts, batch.family, batch.shown)


def _last(counts: Tensor) -> Tensor:
    """1 in the last step that counts."""
    return counts - pad(counts, (0, 1))[:, 1:]


@dataclass(frozen=True)
class Acting:
    """An agent as a policy: it samples while it trains (`explore`) and takes the mode when judged."""

    agent: Agent[Any]
    explore: bool

    def initial(self, lanes: int) -> State:
        encoder, learner = self.agent.encoder, self.agent.learner
        own = learner.initial(lanes) if isinstance(learner, RememberingLearner) else ()
        return *encoder.initial(lanes), *own

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        encoder, learner = self.agent.encoder, self.agent.learner
        if not isinstance(learner, RememberingLearner):
            encoding = encoder(context, state)
            return learner.act(encoding.z[:, 0], rng, self.explore), encoding.state
        inferred = len(encoder.initial(0))
        encoding = encoder(context, state[:inferred])
        action, own = learner.act_from(encoding.z[:, 0], context, state[inferred:], rng, self.explore)
        return action, (*encoding.state, *own)

    def informed(self, support: Batch) -> "Acting | Informed":
        """The same, with what it infers from some transitions of every lane's task."""
        if self.agent.encoder.reads != "set":
            return self
        with torch.no_grad():
            belief, _ = self.agent.inferring.believe(support)
        return Informed(self.agent, belief, self.explore)


@dataclass(frozen=True)
class Informed:
    """An agent whose beliefs come from support and stay as they are: one row a lane."""

    agent: Agent[Any]
    belief: Tensor  # [B, …]
    explore: bool

    def initial(self, lanes: int) -> State:
        assert lanes == len(self.belief), "a lane each for the tasks that support was of"
        return (self.belief,)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        encoder: Any = self.agent.encoder
        chance = None if context.chance is None else context.chance[:, 0]
        z = encoder.given(state[0], context.obs, chance)
        return self.agent.learner.act(z[:, 0], rng, self.explore), state
