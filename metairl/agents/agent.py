"""An agent: an encoder and a learner. It acts as a policy, and encodes trials and transitions for its learner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from metairl.core.interfaces import Encoder, Objective, SetEncoder, StatefulLearner
from metairl.core.types import (
    Batch,
    Context,
    EncodedTransitions,
    EncodedTrial,
    Encoding,
    PolicyInputs,
    Segment,
    State,
    Trial,
    unflatten_state,
)

Learns = TypeVar("Learns", covariant=True)
TrialReader = Callable[
    [Tensor], tuple[EncodedTrial, Tensor]
]  # selected lanes, encoded; the encoder's own loss


class Agent(Generic[Learns]):
    def __init__(self, encoder: Encoder, learner: Learns, objective: Objective, inputs: PolicyInputs):
        self.encoder = encoder
        self.learner = learner
        self.objective = objective
        self.inputs = inputs
        parts: dict[str, Any] = {"encoder": encoder, "learner": learner}
        self.networks = nn.ModuleDict(parts)

    def policy(self, explore: bool) -> "AgentPolicy":
        return AgentPolicy(self, explore)

    def features(self, context: Context, trial: Trial) -> tuple[EncodedTrial, Tensor]:
        """The trial as the learner reads it, and the encoder's own loss."""
        z, aux = self._encode(context, trial.outcome.mask.sum(1))
        return self._features(trial, z), aux

    def _features(self, trial: Trial, z: Tensor) -> EncodedTrial:
        outcome = trial.outcome
        mask = outcome.mask.to(outcome.reward.dtype)
        continues = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], dim=1)
        if self.objective == "episode":
            continues = continues * (1 - outcome.done.to(mask.dtype))
        return EncodedTrial(z, trial.action, outcome.reward, continues, mask, outcome.done.to(mask.dtype))

    def trial_reader(self, trial: Trial) -> "TrialReader":
        """Encodes lanes of a trial by the trial's own context."""
        context = trial.context(self.inputs)
        return lambda rows: self.features(context[rows], trial[rows])

    def trial_reader_given_context(self, trial: Trial, context: Batch) -> "TrialReader":
        """Encodes lanes of a trial whose tasks were inferred from separate context."""

        def read(rows: Tensor) -> tuple[EncodedTrial, Tensor]:
            posterior, aux = self.set_encoder.infer_posterior(context[rows])
            part = trial[rows]
            noise = None if part.noise is None else part.noise[:, 0]
            return self._features(part, self.set_encoder.condition(posterior, part.obs, noise)), aux

        return read

    def embed(self, obs: Tensor, task: Tensor, context: Batch | None) -> Tensor:
        """z of observations, [B, T, O], of tasks that are observed or inferred from context, without history."""
        if context is None:
            return self.encoder(_without_history(obs, task), ()).z
        posterior, _ = self.set_encoder.infer_posterior(context)
        return self.set_encoder.condition(posterior, obs, self._zero_noise(len(posterior)))

    def _zero_noise(self, lanes: int) -> Tensor | None:
        return torch.zeros(lanes, self.inputs.noise_dim) if self.inputs.noise_dim else None

    @property
    def set_encoder(self) -> SetEncoder:
        assert isinstance(self.encoder, SetEncoder), "its task is inferred from separate context"
        return self.encoder

    def encode_transitions(self, batch: Batch) -> tuple[EncodedTransitions, Tensor]:
        """Transitions encoded without history; the encoder's own loss."""
        z, next_z = (
            self.encoder(_without_history(obs, batch.task), ()) for obs in (batch.obs, batch.next_obs)
        )
        return _encoded(batch, z.z, next_z.z, batch.terminated), z.aux

    def encode_given_context(
        self, batch: Batch, context: Batch, rng: Generator
    ) -> tuple[EncodedTransitions, Tensor]:
        """Transitions encoded given separate context of the same tasks; one posterior sample a task."""
        encoder = self.set_encoder
        posterior, aux = encoder.infer_posterior(context)
        size = self.inputs.noise_dim
        noise = torch.randn(len(posterior), size, generator=rng) if size else None
        z, next_z = (encoder.condition(posterior, obs, noise) for obs in (batch.obs, batch.next_obs))
        return _encoded(batch, z, next_z, batch.terminated), aux

    def encode_segment(self, segment: Segment) -> tuple[EncodedTransitions, Tensor]:
        """Consecutive transitions, encoded as a sequence. Only the end of a trial is terminal, not an episode's."""
        batch, empty = segment.batch, self.encoder.initial(len(segment.bootstrap_obs))
        memory = empty if segment.memory is None else unflatten_state(segment.memory, empty)
        whole = self.encoder(self._context(segment), memory)
        ended = batch.terminated * _last(batch.mask) * segment.trial_over.unsqueeze(1)
        return _encoded(batch, whole.z[:, :-1], whole.z[:, 1:], ended), whole.aux

    def _context(self, segment: Segment) -> Context:
        """The context at every step and after the last one, [B, T + 1]."""
        batch, lanes = segment.batch, torch.arange(len(segment.bootstrap_obs))
        end = batch.mask.sum(1).long()
        obs = torch.cat([batch.obs, segment.bootstrap_obs.unsqueeze(1)], dim=1)
        done = torch.cat([segment.done.unsqueeze(1), batch.done], dim=1)
        obs[lanes, end] = segment.bootstrap_obs
        done[lanes, end] *= 1 - segment.trial_over
        reward = torch.cat([segment.reward.unsqueeze(1), batch.reward], dim=1)
        return Context(
            obs=obs,
            prev_action=torch.cat([segment.action.unsqueeze(1), batch.action], dim=1),
            prev_reward=reward if self.inputs.reward else None,
            prev_done=done,
            task=batch.task if self.inputs.task else None,
        )

    def _encode(self, context: Context, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """z of every unmasked step, 0 elsewhere, and the encoder's loss.

        Trials are sorted into buckets by length, so that little is computed on padding.
        """
        lanes, steps = context.prev_done.shape
        if self.encoder.length_buckets == 1 or int(lengths.min()) == steps:
            whole = self.encoder(context, self.encoder.initial(lanes))
            return whole.z, whole.aux
        order = lengths.argsort()
        parts = order.chunk(self.encoder.length_buckets)
        encodings = [self._encode_part(context[rows], int(lengths[rows].max())) for rows in parts]
        z = torch.cat([pad(e.z, (0, 0, 0, steps - e.z.shape[1])) for e in encodings])
        share = torch.tensor([len(rows) / lanes for rows in parts])
        return z[order.argsort()], share @ torch.stack([e.aux for e in encodings])

    def _encode_part(self, context: Context, longest: int) -> Encoding:
        return self.encoder(context.until(longest), self.encoder.initial(len(context.obs)))


def _without_history(obs: Tensor, task: Tensor) -> Context:
    zero = torch.zeros(obs.shape[:2])
    return Context(obs, zero.unsqueeze(-1), None, zero, task)


def _encoded(batch: Batch, z: Tensor, next_z: Tensor, ended: Tensor) -> EncodedTransitions:
    return EncodedTransitions(
        z, batch.action, batch.training_reward, next_z, 1 - ended, batch.mask, batch.family, batch.is_demo
    )


def _last(mask: Tensor) -> Tensor:
    """1 at the last unmasked step."""
    return mask - pad(mask, (0, 1))[:, 1:]


@dataclass(frozen=True)
class AgentPolicy:
    """An agent as a policy: it samples actions in training (`explore`) and takes the mode in evaluation."""

    agent: Agent[Any]
    explore: bool

    def initial(self, lanes: int) -> State:
        encoder, learner = self.agent.encoder, self.agent.learner
        own = learner.initial(lanes) if isinstance(learner, StatefulLearner) else ()
        return *encoder.initial(lanes), *own

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        encoder, learner = self.agent.encoder, self.agent.learner
        if not isinstance(learner, StatefulLearner):
            encoding = encoder(context, state)
            return learner.act(encoding.z[:, 0], rng, self.explore), encoding.state
        inferred = len(encoder.initial(0))
        encoding = encoder(context, state[:inferred])
        action, own = learner.act_with_state(encoding.z[:, 0], context, state[inferred:], rng, self.explore)
        return action, (*encoding.state, *own)

    def conditioned_on(self, support: Batch) -> "AgentPolicy | ConditionedPolicy":
        """With the posterior inferred from support of every lane's task."""
        if self.agent.encoder.context_kind != "set":
            return self
        with torch.no_grad():
            posterior, _ = self.agent.set_encoder.infer_posterior(support)
        return ConditionedPolicy(self.agent, posterior, self.explore)


@dataclass(frozen=True)
class ConditionedPolicy:
    """An agent whose posterior was inferred from support and stays fixed, one row a lane."""

    agent: Agent[Any]
    posterior: Tensor  # [B, …]
    explore: bool

    def initial(self, lanes: int) -> State:
        assert lanes == len(self.posterior), "one lane for each task with support"
        return (self.posterior,)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        encoder: Any = self.agent.encoder
        noise = None if context.noise is None else context.noise[:, 0]
        z = encoder.condition(state[0], context.obs, noise)
        return self.agent.learner.act(z[:, 0], rng, self.explore), state
