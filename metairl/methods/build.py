"""What a method stands for, made: networks from a run's own stream, and what they are shown in a trial."""

from typing import Any

import torch

from metairl.agents.agent import Agent
from metairl.agents.encoders import ENCODERS, from_support
from metairl.core.interfaces import Policy
from metairl.core.rng import seed_of
from metairl.core.types import PolicyInputs, Spec
from metairl.methods.method import Method
from metairl.rewards.irl.solution import IRLMethod
from metairl.tasks.cards import TaskCard
from metairl.training import offline_preferences


def inputs(method: Method, encoder: str | None, settings: Any) -> PolicyInputs:
    """What the judge lets this method see inside a trial."""
    told = ENCODERS[encoder][0].sees_task if encoder else method.sees_task
    noise_dim = getattr(settings.encoder, "noise_dim", 0) if encoder else 0
    return PolicyInputs(reward=method.support == "trial", task=told, noise_dim=noise_dim)


def build_agent(
    method: Method, encoder: str, spec: Spec, settings: Any, card: TaskCard, seed: int
) -> Agent[Any]:
    """Fresh networks from the run's own stream; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("networks", seed))
        kind: Any = ENCODERS[encoder][0]
        embedding: Any
        if method.support != "trial" and kind.context_kind == "trial":
            read = steps_of_support(spec, settings.recipe, card)
            embedding = from_support.SupportEncoder(kind, spec, settings.encoder, read)
        else:
            embedding = kind(spec, settings.encoder)
        learner = method.learner[0](spec, embedding.width, settings.learner)
        return Agent(embedding, learner, card.objective, inputs(method, encoder, settings))


def steps_of_support(spec: Spec, config: Any, card: TaskCard) -> int:
    """At most so many are read of a task before its first episode."""
    read: int = config.context
    if isinstance(config, offline_preferences.Config) and card.comparisons:
        return 2 * card.comparisons * min(config.ask.length, spec.horizon)
    return min(read, card.examples or spec.horizon)


def build_explainer(method: Method, spec: Spec, settings: Any, seed: int) -> IRLMethod:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("networks", seed))
        made: IRLMethod = method.learner[0](spec, settings.learner)
        return made


def build_exact(method: Method, spec: Spec, settings: Any) -> Policy:
    policy: Policy = method.learner[0](spec, settings.learner)
    return policy
