"""Offline learning under a reward from comparisons of logged segments.

    first       a teacher is asked about pairs of segments of the logs, or a person's answers are read
                r is fitted to all answers                                          rewards/preferred.py
    iteration   gradient steps on the logs, every step paid r̂ in place of what was logged

    pays = "nothing"     a control: every step is paid 0, and nobody is asked

What was logged as reward is read by the teacher and by nobody else: tasks are told, not inferred from it. The
other control, the true reward, is the same learner without this recipe.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from metairl.agent import Agent, OffPolicyLearner
from metairl.logs import Logs
from metairl.recipes import asking, offline
from metairl.recipes.asking import Asking
from metairl.recipes.preferences import reading
from metairl.rewards import pairs as segments
from metairl.rewards import recorded
from metairl.types import Moves, Spec


@dataclass(frozen=True)
class AtOnce(asking.Truth):
    early: float = 1.0
    choose: Literal["uniform", "disagreement"] = "uniform"  # members that know nothing agree about nothing
    rounds: int = 1000


@dataclass(frozen=True)
class Config(offline.Config):
    ask: AtOnce = field(default_factory=AtOnce)
    answers: str | None = None  # a file of a person's answers about these logs; None: the teacher is asked
    pays: Literal["answers", "nothing"] = "answers"


class PreferredLogs(offline.Offline):
    def __init__(self, agent: Agent[OffPolicyLearner], source: Logs, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        obs, actions = (self.replay.kept[name].shape[-1] for name in ("obs", "action"))
        spec = Spec(obs, actions, False, self.replay.length, 1, self.replay.tasks.shape[1])
        self.asking = Asking(spec, agent.encoder.width, config.ask, reading(agent), seed)
        if config.pays == "answers":
            self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.asking.reward})

    def iterate(self, progress: float) -> dict[str, float]:
        paid = self.config.pays == "answers"
        if paid and self.gradient_steps == 0:
            self._hear()
        return super().iterate(progress) | (self.asking.known() if paid else {})

    def state(self) -> dict[str, Any]:
        return super().state() | {"asking": self.asking.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.asking.load(state["asking"])

    def _hear(self) -> None:
        if self.config.answers is None:
            self.asking.session(self.replay, 0.0)
        else:
            places, first, steps = recorded.answered(Path(self.config.answers), self.replay)
            self.asking.take(segments.cut(self.replay, places, steps), first)

    def _moves(self) -> tuple[Moves, Tensor]:
        moves, aux = super()._moves()
        if self.config.pays == "nothing":
            return replace(moves, reward=torch.zeros_like(moves.reward)), aux
        with torch.no_grad():
            return replace(moves, reward=self.asking.reward.pays(moves.z, moves.action)), aux
