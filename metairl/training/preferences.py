"""A reward from comparisons and a policy that is paid it, in turns; the policy is never paid the true one.

    Lived   (PPO)   segments are of an iteration's trials, `each` of them in every task; then PPO on r̂
    Kept    (SAC)   segments are of all that is kept; every gradient step reads r̂ as it is by then, so that
                    what was lived before is paid anew (Lee et al. 2021, PEBBLE, arXiv:2106.05091)

When and how a teacher is asked: asking.py. A policy that is shown no reward cannot find out its task: the
encoder `oracle` is told it, and r reads what the policy reads.

Departures from PEBBLE: no unsupervised beginning, and critics go on from where they were when r changes.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from metairl.agents.agent import Agent
from metairl.core.errors import UsageError
from metairl.core.interfaces import OffPolicyLearner, OnPolicyLearner
from metairl.core.rollout import rollout
from metairl.core.types import EncodedTransitions, Trial, encode_action
from metairl.data.replay import Replay
from metairl.data.task_sources import TaskSource
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.training import off_policy, on_policy, preference_queries
from metairl.training.preference_queries import PreferenceQueries


@dataclass(frozen=True)
class Config(on_policy.Config):
    trials: int = 64  # in all, an iteration
    each: int = 4  # of one task
    ask: preference_queries.Config = field(default_factory=preference_queries.Config)


@dataclass(frozen=True)
class OffPolicyConfig(off_policy.Config):
    ask: preference_queries.Config = field(default_factory=preference_queries.Config)


class OnPolicyPreferences(on_policy.OnPolicy):
    config: Any

    def __init__(self, agent: Agent[OnPolicyLearner], source: TaskSource, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        if config.trials % config.each:
            raise UsageError(f"recipe.trials must be a multiple of recipe.each, {config.each}")
        self.asking = PreferenceQueries(source.spec, agent.encoder.width, config.ask, reading(agent), seed)
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.asking.reward})

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        tasks = self.source.draw(self.config.trials // self.config.each, self.streams["tasks"])
        rows = torch.arange(len(tasks)).repeat_interleave(self.config.each)
        env = self.source.env(tasks[rows], self.streams["world"])
        policy, inputs = self.agent.policy(explore=True), self.agent.inputs
        trial = rollout(policy, env, self.streams["act"], inputs, final=True)
        mask = trial.outcome.mask
        self.env_steps += int(mask.sum())
        told = {"return": (trial.outcome.reward * mask).sum(1).mean().item()}
        if self.asking.due(progress):
            self.asking.session(together(trial, self.config.each), progress)
        paid = self._paid(trial)
        improved = self.improve(paid, self.agent.trial_reader(paid), progress)
        return (
            told | self.asking.known() | improved | {"diverged": (trial.outcome.diverged & mask).sum().item()}
        )

    def state(self) -> dict[str, Any]:
        return super().state() | {"asking": self.asking.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.asking.load(state["asking"])

    @torch.no_grad()
    def _paid(self, trial: Trial) -> Trial:
        """The same trial, with r̂."""
        z = self.agent.embed(trial.obs, trial.task, None)
        reward = self.asking.reward.policy_reward(z, encode_action(trial.action, trial.actions))
        return replace(trial, outcome=replace(trial.outcome, reward=reward * trial.outcome.mask))


class OffPolicyPreferences(off_policy.OffPolicy):
    def __init__(
        self, agent: Agent[OffPolicyLearner], source: TaskSource, config: OffPolicyConfig, seed: int
    ):
        super().__init__(agent, source, config, seed)
        self.asking = PreferenceQueries(source.spec, agent.encoder.width, config.ask, reading(agent), seed)
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.asking.reward})

    def iterate(self, progress: float) -> dict[str, float]:
        """The first only lives, once in every task; the others ask before they live on."""
        if self.env_steps:
            self.asking.session(self.replay, progress)
        lived = super().iterate(progress)
        return lived | self.asking.known()

    def state(self) -> dict[str, Any]:
        return super().state() | {"asking": self.asking.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.asking.load(state["asking"])

    def _moves(self) -> tuple[EncodedTransitions, Tensor]:
        moves, aux = super()._moves()
        with torch.no_grad():
            return replace(moves, reward=self.asking.reward.policy_reward(moves.z, moves.action)), aux


def reading(agent: Agent[Any]) -> preference_queries.Read:
    def read(pairs: Pairs) -> Tensor:
        """z and the action, [n, 2, L, Z + A]."""
        z = agent.embed(pairs.obs.flatten(1, 2), pairs.task, None)
        return torch.cat([z.view(*pairs.obs.shape[:3], -1), pairs.action], dim=-1)

    return read


def together(trial: Trial, each: int) -> Replay:
    """What was lived, a task's trials, which are neighbours, together."""
    tasks = len(trial.obs) // each
    kept = Replay(each, trial.obs.shape[1], torch.zeros(tasks, dtype=torch.long))
    for first in range(each):
        kept.add(torch.arange(tasks), trial[torch.arange(first, len(trial.obs), each)])
    return kept
