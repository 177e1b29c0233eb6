"""Builds what a method stands for: its networks, from a run's own random stream, and its policy's inputs."""

from typing import Any

import torch

from metairl.agents.agent import Agent
from metairl.agents.encoders import ENCODERS
from metairl.agents.encoders.from_support import SupportEncoder
from metairl.core.rng import seed_of
from metairl.core.types import PolicyInputs, Spec
from metairl.methods.method import Method
from metairl.tasks.cards import TaskCard
from metairl.training import offline_preferences


def policy_inputs(method: Method, encoder: str | None, settings: Any) -> PolicyInputs:
    """What the judge gives this method's policy inside a trial, beside the observation."""
    task = ENCODERS[encoder].cls.sees_task if encoder else method.sees_task
    noise_dim = getattr(settings.encoder, "noise_dim", 0) if encoder else 0
    return PolicyInputs(reward=method.support == "trial", task=task, noise_dim=noise_dim)


def build_agent(
    method: Method, encoder: str, spec: Spec, settings: Any, card: TaskCard, seed: int
) -> Agent[Any]:
    """Fresh networks from the run's own stream; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("networks", seed))
        kind: Any = ENCODERS[encoder].cls
        embedding: Any
        if method.support != "trial" and kind.context_kind == "trial":
            steps = context_steps(spec, settings.recipe, card)
            embedding = SupportEncoder(kind, spec, settings.encoder, steps)
        else:
            embedding = kind(spec, settings.encoder)
        learner = method.learner.cls(spec, embedding.width, settings.learner)
        return Agent(embedding, learner, card.objective, policy_inputs(method, encoder, settings))


def context_steps(spec: Spec, config: Any, card: TaskCard) -> int:
    """How many transitions of a task are read before its first episode, at most."""
    context: int = config.context
    if isinstance(config, offline_preferences.Config) and card.comparisons:
        return 2 * card.comparisons * min(config.queries.length, spec.horizon)
    return min(context, card.examples or spec.horizon)


def build_alone(method: Method, spec: Spec, settings: Any, seed: int) -> Any:
    """What acts, or explains demonstrations, without an encoder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("networks", seed))
        return method.learner.cls(spec, settings.learner)
