"""A policy that is told a goal learns to reach it, where goals are proposed and no reward is seen.

    iteration   a goal g in each of some lanes                                          proposed by a sibling
                the reacher, told g, lives a trial in each:  r = 1 where a step leads to g, else 0
                PPO on that, and cloning of ways that were shown, where they are wanted:
    L_C = −c E[ w min(ρ, 1 + ε) ],   ρ = π(a | s, g) / π_old(a | s, g),   w = 1 where wanted, else 0

What the world pays is never read. Siblings differ in where goals and ways come from: self_play.py,
uniform_goals.py, hindsight_goals.py.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from metairl.agents.agent import Agent
from metairl.agents.rl.ppo import PPO
from metairl.core.interfaces import Env, GoalEnv, OnPolicyLearner
from metairl.core.losses import clipped_surrogate, mean
from metairl.core.rollout import rollout
from metairl.core.types import Trial
from metairl.data.task_sources import TrainingTasks
from metairl.tasks.sampling import TaskSet
from metairl.training import on_policy


@dataclass(frozen=True)
class Config(on_policy.Config):
    trials: int = 64  # goals an iteration, one trial each
    cloning: float = 0.5  # c; 0: nothing is cloned


@dataclass(frozen=True)
class Round:
    """What an iteration lived."""

    goals: Tensor  # [B, O]
    shown: Trial | None  # how they were come to, where somebody did
    trial: Trial  # of the reacher
    arrived: Tensor  # [B, T] bool, the step led to g
    away: Tensor  # [B] bool, g is not where trials begin

    @property
    def reached(self) -> Tensor:
        return self.arrived.any(1)


class GoalReaching(on_policy.OnPolicy):
    source: TrainingTasks
    agent: Agent[PPO]
    config: Any

    def __init__(self, agent: Agent[PPO], source: TrainingTasks, config: Config, seed: int):
        super().__init__(agent, source, config, seed, ("propose",))
        any_task = source.draw(1, Generator()).tasks
        self.map = places(source.env(any_task, Generator()))

    def propose(self) -> tuple[Tensor, Trial | None]:
        """Goals, [B, O], and how they were come to, where somebody did."""
        raise NotImplementedError

    def ways(self, played: Round) -> tuple[Trial, Tensor] | None:
        """Ways as the reacher would have lived them, and which of them it is to clone, [B] bool."""
        return None

    def answered(self, played: Round, progress: float) -> dict[str, float]:
        """What the proposer makes of it."""
        return {}

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        played = self._play(*self.propose())
        told = curriculum(played) | self.answered(played, progress)
        paid = with_reward(played.trial, played.arrived.float())
        ways = self.ways(played) if self.config.cloning else None
        beside = self._cloning(*ways) if ways else on_policy.nothing
        improved = self.improve(paid, self.agent.trial_reader(paid), progress, beside)
        return told | improved

    def somewhere(self) -> GoalEnv:
        """A world of any training tasks, whose goals nobody is told."""
        tasks = self.source.draw(self.config.trials, self.streams["tasks"])
        return places(self.source.env(tasks.tasks, self.streams["world"]))

    def live(self, agent: Agent[OnPolicyLearner], env: Env, stream: str) -> Trial:
        trial = rollout(agent.policy(explore=True), env, self.streams[stream], agent.inputs, final=True)
        self.env_steps += int(trial.outcome.mask.sum())
        return trial

    def _play(self, goals: Tensor, shown: Trial | None) -> Round:
        tasks = self.source.unseen(TaskSet(self.source.card.id, "train", {"goal": goals}))
        trial = self.live(self.agent, self.source.env(tasks.tasks, self.streams["world"]), "act")
        assert trial.next_obs is not None, "what each step led to"
        arrived = self.map.at(trial.next_obs, goals.unsqueeze(1)) & trial.outcome.mask
        return Round(goals, shown, trial, arrived, self.away(trial, goals))

    def away(self, trial: Trial, goals: Tensor) -> Tensor:
        """Whether goals are not where their trials began, [B] bool."""
        return ~self.map.at(trial.obs[:, 0], goals)

    def _cloning(self, way: Trial, wanted: Tensor) -> on_policy.Beside:
        learner, read = self.agent.learner, self.agent.trial_reader(way)
        with torch.no_grad():
            whole, _ = read(torch.arange(len(wanted)))
            old = learner.policy(whole.z).log_prob(whole.action)

        def beside(rows: Tensor) -> dict[str, Tensor]:
            f, _ = read(rows)
            log_ratio = learner.policy(f.z).log_prob(f.action) - old[rows]
            kept = clipped_surrogate(log_ratio, torch.ones(()), learner.config.clip)
            return {"cloning": self.config.cloning * mean(kept * wanted[rows].unsqueeze(1), f.mask)}

        return beside


def places(env: Env) -> GoalEnv:
    assert isinstance(env, GoalEnv), "a world whose tasks are places"
    return env


def with_reward(trial: Trial, reward: Tensor) -> Trial:
    return replace(trial, outcome=replace(trial.outcome, reward=reward))


def towards(trial: Trial, goals: Tensor) -> Trial:
    """The same steps, as if these goals had been told."""
    return replace(trial, task=goals)


def ends(trial: Trial) -> Tensor:
    """Where trials ended, [B, O]."""
    assert trial.next_obs is not None, "what each step led to"
    last = trial.outcome.mask.sum(1) - 1
    return trial.next_obs[torch.arange(len(last)), last]


def curriculum(played: Round) -> dict[str, float]:
    """What was asked of the reacher, and how it did."""
    goals, start = played.goals, played.trial.obs[:, 0]
    return {
        "reached": played.reached.float().mean().item(),
        "away": played.away.float().mean().item(),
        "distance": (goals - start).norm(dim=1).mean().item(),
        "spread": (goals - goals.mean(0)).norm(dim=1).square().mean().sqrt().item(),
    }
