"""Preference-based RL: a reward from comparisons and a policy that maximises it, trained in turns.

    OnPolicyPreferences    PPO    segments are cut from an iteration's trials, `each` of them per task
    OffPolicyPreferences   SAC    segments are cut from the replay buffer; every gradient step computes r̂ afresh,
                                  so earlier transitions are relabelled (Lee et al. 2021, PEBBLE, arXiv:2106.05091)

The policy never observes the true reward, so it cannot infer its task from it: these methods are trained with
the encoder `oracle`, and the reward model reads what the policy reads. Which segments are compared, and when:
preference_queries.py.

Departures from PEBBLE: no unsupervised pre-training, and critics are not reset when r changes.
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
    trials: int = 64  # trials in an iteration
    each: int = 4  # trials of one task among them
    queries: preference_queries.Config = field(default_factory=preference_queries.Config)


@dataclass(frozen=True)
class OffPolicyConfig(off_policy.Config):
    queries: preference_queries.Config = field(default_factory=preference_queries.Config)


class OnPolicyPreferences(on_policy.OnPolicy):
    config: Any

    def __init__(self, agent: Agent[OnPolicyLearner], source: TaskSource, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        if config.trials % config.each:
            raise UsageError(f"recipe.trials must be a multiple of recipe.each, {config.each}")
        self.queries = PreferenceQueries(
            source.spec, agent.encoder.width, config.queries, pair_encoder(agent), seed
        )
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.queries.reward})

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        tasks = self.source.draw(self.config.trials // self.config.each, self.streams["tasks"])
        rows = torch.arange(len(tasks)).repeat_interleave(self.config.each)
        env = self.source.env(tasks[rows], self.streams["world"])
        policy, inputs = self.agent.policy(explore=True), self.agent.inputs
        trial = rollout(policy, env, self.streams["act"], inputs, keep_next_obs=True)
        mask = trial.outcome.mask
        self.env_steps += int(mask.sum())
        mean_return = (trial.outcome.reward * mask).sum(1).mean().item()
        if self.queries.due(progress):
            self.queries.session(as_replay(trial, self.config.each), progress)
        relabelled = self._with_learned_reward(trial)
        losses = self.improve(relabelled, self.agent.trial_reader(relabelled), progress)
        diverged = (trial.outcome.diverged & mask).sum().item()
        return {"return": mean_return} | self.queries.metrics() | losses | {"diverged": diverged}

    def state(self) -> dict[str, Any]:
        return super().state() | {"queries": self.queries.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.queries.load(state["queries"])

    @torch.no_grad()
    def _with_learned_reward(self, trial: Trial) -> Trial:
        z = self.agent.embed(trial.obs, trial.task, None)
        reward = self.queries.reward.policy_reward(z, encode_action(trial.action, trial.actions))
        return replace(trial, outcome=replace(trial.outcome, reward=reward * trial.outcome.mask))


class OffPolicyPreferences(off_policy.OffPolicy):
    def __init__(
        self, agent: Agent[OffPolicyLearner], source: TaskSource, config: OffPolicyConfig, seed: int
    ):
        super().__init__(agent, source, config, seed)
        self.queries = PreferenceQueries(
            source.spec, agent.encoder.width, config.queries, pair_encoder(agent), seed
        )
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.queries.reward})

    def iterate(self, progress: float) -> dict[str, float]:
        """The first iteration only collects, one trial in every task; later ones begin with a session."""
        if self.env_steps:
            self.queries.session(self.replay, progress)
        collected = super().iterate(progress)
        return collected | self.queries.metrics()

    def state(self) -> dict[str, Any]:
        return super().state() | {"queries": self.queries.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.queries.load(state["queries"])

    def encoded_batch(self) -> tuple[EncodedTransitions, Tensor]:
        batch, aux = super().encoded_batch()
        with torch.no_grad():
            return replace(batch, reward=self.queries.reward.policy_reward(batch.z, batch.action)), aux


def pair_encoder(agent: Agent[Any]) -> preference_queries.EncodePairs:
    def encode(pairs: Pairs) -> Tensor:
        """z and the action, [n, 2, L, Z + A]."""
        z = agent.embed(pairs.obs.flatten(1, 2), pairs.task, None)
        return torch.cat([z.view(*pairs.obs.shape[:3], -1), pairs.action], dim=-1)

    return encode


def as_replay(trial: Trial, each: int) -> Replay:
    """An iteration's trials as a buffer; a task's `each` trials are neighbouring lanes."""
    tasks = len(trial.obs) // each
    replay = Replay(each, trial.obs.shape[1], torch.zeros(tasks, dtype=torch.long))
    for first in range(each):
        replay.add(torch.arange(tasks), trial[torch.arange(first, len(trial.obs), each)])
    return replay
