"""A teacher that compares segments by written principles (Lee et al. 2023, RLAIF, arXiv:2309.00267).

    m_k(σ)   feature of a segment that principle k, with weight w_k, is about      clip_features.py
    u(σ)     = Σ_k ± w_k m_k(σ) / std_k                                            std over the segments at hand
    y        = sigmoid( firmness · (u(σ) − u(σ′)) )                                by rule
    y        = ½ (y(σ, σ′) + 1 − y(σ′, σ))  of a language model, asked in both orders    llm_teacher.py

Answers are probabilities. Constitutions are data, in benchmarks/constitutions.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.types import Spec
from metairl.rewards.preferences import llm_teacher
from metairl.rewards.preferences.clip_features import feature
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Answers, Teacher, TeacherConfig
from metairl.tasks import catalogue
from metairl.tasks.constitution_card import Constitution


@dataclass(frozen=True)
class Config(TeacherConfig):
    constitution: str = "arrive"  # its name
    firmness: float = 10.0  # slope of the rule's answers, per standard deviation of utility
    url: str | None = None  # OpenAI-compatible endpoint of a language model, up to /v1; none: answers by rule
    model: str = "default"  # model at that endpoint
    seconds: float = 30.0  # timeout of a request
    tries: int = 3  # attempts at each request


def make(config: Config, spec: Spec) -> Teacher:
    constitution = catalogue.constitution(config.constitution)
    for needed, available, what in (
        (constitution.num_obs, spec.obs, "observations"),
        (constitution.num_params, spec.params, "task parameters"),
    ):
        if needed > available:
            raise UsageError(
                f"constitution '{config.constitution}' reads {needed} {what}, and there are {available}"
            )
    if config.url is None:
        return ByRule(config, constitution)
    endpoint = llm_teacher.Endpoint(config.url, config.model, config.seconds, config.tries)
    return llm_teacher.ByModel(endpoint, constitution)


class ByRule:
    def __init__(self, config: Config, constitution: Constitution):
        self.config, self.constitution = config, constitution

    def answer(self, pairs: Pairs, reward: Tensor, rng: Generator) -> Answers:
        utility = torch.zeros(len(pairs), 2)
        for principle in self.constitution.principles:
            value = feature(principle, pairs)
            sign = 1 if principle.prefer == "more" else -1
            utility += sign * principle.weight * value / value.std(correction=0).clamp(min=1e-8)
        first = (self.config.firmness * (utility[:, 0] - utility[:, 1])).sigmoid()
        return Answers(first, torch.ones(len(pairs), dtype=torch.bool))
