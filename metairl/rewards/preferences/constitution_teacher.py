"""A judge that compares by written principles (Lee et al. 2023, RLAIF, arXiv:2309.00267).

    m_k(σ)   a trait of a clip, of principle k with weight w_k                     traits.py
    u(σ)     = Σ_k ± w_k m_k(σ) / spread_k                                         spread over clips at hand
    y        = σ( firmness · (u(σ) − u(σ′)) )                                      by rule
    y        = ½ (y(σ, σ′) + 1 − y(σ′, σ)),  what a language model says of both orders    endpoint.py

Answers are chances, not choices. Principles are data, in benchmarks/constitutions.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.types import Spec
from metairl.rewards.preferences import llm_teacher
from metairl.rewards.preferences.clip_features import measured
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Answers, Teacher, TeacherConfig
from metairl.tasks import catalogue
from metairl.tasks.constitution_card import Constitution


@dataclass(frozen=True)
class Config(TeacherConfig):
    constitution: str = "arrive"  # its name
    firmness: float = 10.0  # how sure a difference of one spread makes the judge that goes by rule
    url: str | None = None  # of an OpenAI-compatible endpoint, up to /v1; None: by rule
    model: str = "default"  # that is asked there
    seconds: float = 30.0  # that an answer may take
    tries: int = 3  # of every question


def made(config: Config, spec: Spec) -> Teacher:
    constitution = catalogue.constitution(config.constitution)
    for needs, has, what in (
        (constitution.sees, spec.obs, "of what is seen"),
        (constitution.told, spec.params, "of the task"),
    ):
        if needs > has:
            raise UsageError(
                f"constitution '{config.constitution}' speaks of {needs} numbers {what}, and there are {has}"
            )
    if config.url is None:
        return ByRule(config, constitution)
    line = llm_teacher.Line(config.url, config.model, config.seconds, config.tries)
    return llm_teacher.ByModel(line, constitution)


class ByRule:
    def __init__(self, config: Config, constitution: Constitution):
        self.config, self.constitution = config, constitution

    def answer(self, pairs: Pairs, paid: Tensor, rng: Generator) -> Answers:
        worth = torch.zeros(len(pairs), 2)
        for principle in self.constitution.principles:
            trait = measured(principle, pairs)
            sign = 1 if principle.prefer == "more" else -1
            worth += sign * principle.weight * trait / trait.std(correction=0).clamp(min=1e-8)
        first = (self.config.firmness * (worth[:, 0] - worth[:, 1])).sigmoid()
        return Answers(first, torch.ones(len(pairs), dtype=torch.bool))
