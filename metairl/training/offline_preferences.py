"""Offline learning under a reward from comparisons of logged segments.

    first       a teacher is asked about pairs of segments of the logs, or a person's answers are read
                r(o, c, a) of training tasks c is fitted to all answers             rewards/preferences/reward_model.py
    iteration   gradient steps on the logs, every step paid r̂ in place of what was logged

    pays = "nothing"     a control: every step is paid 0, and nobody is asked

What was logged as reward is read by the teacher and by nobody else. The policy is told its task, or infers it
from a few answers: the same number of questions is then asked about every training task, and each gradient
step reads some of the answers, as of a held-out task all that come with it (compared.py). The other control,
the true reward, is the same learner without this recipe.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from metairl.agents.agent import Agent
from metairl.core.errors import UsageError
from metairl.core.interfaces import OffPolicyLearner, SetEncoder
from metairl.core.types import Batch, Spec
from metairl.data.offline_dataset import OfflineDataset
from metairl.rewards.preferences import human_answers, task_evidence
from metairl.rewards.preferences import segment_pairs as segments
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.task_evidence import TaskComparisons
from metairl.training import offline, preference_queries
from metairl.training.preference_queries import PreferenceQueries


@dataclass(frozen=True)
class AtOnce(preference_queries.Config):
    early: float = 1.0
    choose: Literal["uniform", "disagreement"] = "uniform"  # members that know nothing agree about nothing
    rounds: int = 1000


@dataclass(frozen=True)
class Config(offline.Config):
    ask: AtOnce = field(default_factory=AtOnce)
    answers: str | None = None  # a file of a person's answers about these logs; None: the teacher is asked
    pays: Literal["answers", "nothing"] = "answers"


class OfflinePreferences(offline.Offline):
    config: Config

    def __init__(self, agent: Agent[OffPolicyLearner], source: OfflineDataset, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        obs, actions = (self.replay.data[name].shape[-1] for name in ("obs", "action"))
        spec = Spec(obs, actions, False, self.replay.length, 1, self.replay.tasks.shape[1])
        self.asking = PreferenceQueries(spec, spec.obs + spec.params, config.ask, read, seed)
        self.compared = self._about_every_task() if isinstance(agent.encoder, SetEncoder) else None
        if config.pays == "answers":
            self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.asking.reward})

    def context_for(self, which: Tensor) -> Batch:
        assert self.compared and self.source.comparisons, "answers about every task"
        return self.compared.some(which, self.source.comparisons, self.streams["improve"])

    def transitions(self, which: Tensor) -> Batch:
        """Paid what is thought of them."""
        batch = super().transitions(which)
        if self.config.pays == "nothing":
            return replace(batch, training_reward=torch.zeros_like(batch.training_reward))
        with torch.no_grad():
            return replace(
                batch,
                training_reward=self.asking.reward.policy_reward(told(batch.obs, batch.task), batch.action),
            )

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
        if self.compared is not None:
            given = self.compared.given
            self.asking.take(self.compared.pairs[given], self.compared.first[given], len(given))
        elif self.config.answers is None:
            self.asking.session(self.replay, 0.0)
        else:
            places, first, steps = human_answers.answered(Path(self.config.answers), self.replay)
            self.asking.take(segments.cut(self.replay, places, steps), first, len(first))

    def _about_every_task(self) -> TaskComparisons:
        each, few = self.config.ask.labels // len(self.source), self.source.comparisons
        assert few, "a card that says how many"
        if self.config.answers is not None:
            raise UsageError("recipe.answers goes with tasks that are told: --encoder oracle")
        if each < few:
            raise UsageError(
                f"recipe.ask.labels must be {few * len(self.source)} or more: "
                f"{few} comparisons of each of {len(self.source)} training tasks"
            )
        return task_evidence.ask(
            self.replay, each, self.asking.length, self.asking.teacher, self.asking.streams["ask"]
        )


def told(obs: Tensor, task: Tensor) -> Tensor:
    """[o, c] of every step."""
    steps = obs.shape[1]
    return torch.cat([obs, task.unsqueeze(1).expand(-1, steps, -1)], dim=-1)


def read(pairs: Pairs) -> Tensor:
    """[o, c, a], [n, 2, L, O + P + A]."""
    known = told(pairs.obs.flatten(1, 2), pairs.task)
    return torch.cat([known.view(*pairs.obs.shape[:3], -1), pairs.action], dim=-1)
