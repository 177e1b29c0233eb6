"""Offline learning under a reward learned from comparisons of logged segments.

    first       a teacher compares pairs of segments of the dataset, or a person's answers are read;
                r(o, c, a) of training tasks c is fitted to all answers             rewards/preferences/reward_model.py
    iteration   gradient steps on the dataset, its rewards replaced by r̂

    training_reward = "zero"     a control: all rewards are 0 and no comparison is made

Logged rewards are read by the teacher alone. The policy observes its task, or infers it from comparisons: the
same number is then made in every training task, and each gradient step reads as many of a task's comparisons
as a held-out task comes with (rewards/preferences/task_evidence.py). The other control, the true reward, is
the same learner with training/offline.py.
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
class QueriesConfig(preference_queries.Config):
    """All queries are made at once, before the reward has learned anything."""

    initial_share: float = 1.0
    selection: Literal["uniform", "disagreement"] = "uniform"
    gradient_steps: int = 1000


@dataclass(frozen=True)
class Config(offline.Config):
    queries: QueriesConfig = field(default_factory=QueriesConfig)
    answers: str | None = None  # file of a person's answers about this dataset; none: the teacher answers
    training_reward: Literal["learned", "zero"] = "learned"


class OfflinePreferences(offline.Offline):
    config: Config

    def __init__(self, agent: Agent[OffPolicyLearner], source: OfflineDataset, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        obs, actions = (self.replay.data[name].shape[-1] for name in ("obs", "action"))
        spec = Spec(obs, actions, False, self.replay.length, 1, self.replay.tasks.shape[1])
        self.queries = PreferenceQueries(spec, spec.obs + spec.params, config.queries, encode_pairs, seed)
        self.comparisons = self._compare_every_task() if isinstance(agent.encoder, SetEncoder) else None
        if config.training_reward == "learned":
            self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.queries.reward})

    def context_for(self, which: Tensor) -> Batch:
        assert self.comparisons and self.source.comparisons, "made for set encoders"
        return self.comparisons.sample(which, self.source.comparisons, self.streams["improve"])

    def transitions(self, which: Tensor) -> Batch:
        """With the learned reward in place of the logged one."""
        batch = super().transitions(which)
        if self.config.training_reward == "zero":
            return replace(batch, training_reward=torch.zeros_like(batch.training_reward))
        with torch.no_grad():
            z = with_task(batch.obs, batch.task)
            return replace(batch, training_reward=self.queries.reward.policy_reward(z, batch.action))

    def iterate(self, progress: float) -> dict[str, float]:
        learned = self.config.training_reward == "learned"
        if learned and self.gradient_steps == 0:
            self._learn_reward()
        return super().iterate(progress) | (self.queries.metrics() if learned else {})

    def state(self) -> dict[str, Any]:
        return super().state() | {"queries": self.queries.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.queries.load(state["queries"])

    def _learn_reward(self) -> None:
        if self.comparisons is not None:
            given = self.comparisons.given
            self.queries.take(self.comparisons.pairs[given], self.comparisons.first[given], len(given))
        elif self.config.answers is None:
            self.queries.session(self.replay, 0.0)
        else:
            places, first, steps = human_answers.answered(Path(self.config.answers), self.replay)
            self.queries.take(segments.cut(self.replay, places, steps), first, len(first))

    def _compare_every_task(self) -> TaskComparisons:
        each, needed = self.config.queries.labels // len(self.source), self.source.comparisons
        assert needed, "a card that says how many"
        if self.config.answers is not None:
            raise UsageError("recipe.answers needs policies that observe the task: --encoder oracle")
        if each < needed:
            raise UsageError(
                f"recipe.queries.labels must be {needed * len(self.source)} or more: "
                f"{needed} comparisons of each of {len(self.source)} training tasks"
            )
        queries = self.queries
        return task_evidence.compare(
            self.replay, each, queries.length, queries.teacher, queries.streams["ask"]
        )


def with_task(obs: Tensor, task: Tensor) -> Tensor:
    """[o, c] of every step."""
    steps = obs.shape[1]
    return torch.cat([obs, task.unsqueeze(1).expand(-1, steps, -1)], dim=-1)


def encode_pairs(pairs: Pairs) -> Tensor:
    """[o, c, a], [n, 2, L, O + P + A]."""
    z = with_task(pairs.obs.flatten(1, 2), pairs.task)
    return torch.cat([z.view(*pairs.obs.shape[:3], -1), pairs.action], dim=-1)
