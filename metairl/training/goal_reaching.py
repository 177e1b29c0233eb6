"""Goal-conditioned PPO where goals are proposed and the environment's reward is never read.

    iteration   goals g, one in each lane                                       proposed by a subclass
                the policy, conditioned on g, collects a trial in each lane:    r = 1 where a step reaches g, else 0
                PPO on these trials, and behavioural cloning of selected ones:
    L_BC = −c E[ w min(ρ, 1 + ε) ],   ρ = π(a | s, g) / π_old(a | s, g),   w = 1 for selected trials, else 0

Subclasses differ in where goals and cloned trials come from: self_play.py, uniform_goals.py, visited_goals.py.
The clipped cloning loss is that of OpenAI (2021, arXiv:2101.04882).
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
    trials: int = 64  # goals in an iteration, one trial each
    cloning_weight: float = 0.5  # weight of behavioural cloning (c); 0: off


@dataclass(frozen=True)
class Round:
    """Goals and trials of an iteration."""

    goals: Tensor  # [B, O]
    proposed_by: Trial | None  # trials of the policy that proposed the goals, if one did
    trial: Trial  # of the goal-conditioned policy
    at_goal: Tensor  # [B, T] bool, the step reached g
    away: Tensor  # [B] bool, g is not where the trial begins

    @property
    def reached(self) -> Tensor:
        return self.at_goal.any(1)


class GoalReaching(on_policy.OnPolicy):
    source: TrainingTasks
    agent: Agent[PPO]
    config: Any

    def __init__(self, agent: Agent[PPO], source: TrainingTasks, config: Config, seed: int):
        super().__init__(agent, source, config, seed, ("propose",))
        any_task = source.draw(1, Generator()).tasks
        self.map = as_goal_env(source.env(any_task, Generator()))

    def propose(self) -> tuple[Tensor, Trial | None]:
        """Goals, [B, O], and the trials that led to them, if a policy proposed them."""
        raise NotImplementedError

    def demonstrations(self, played: Round) -> tuple[Trial, Tensor] | None:
        """Trials conditioned on goals that they reach, and which of them to clone, [B] bool."""
        return None

    def update_proposer(self, played: Round, progress: float) -> dict[str, float]:
        """Learning of whatever proposes goals."""
        return {}

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        played = self._play(*self.propose())
        metrics = curriculum(played) | self.update_proposer(played, progress)
        trial = with_reward(played.trial, played.at_goal.float())
        demonstrations = self.demonstrations(played) if self.config.cloning_weight else None
        extra = self._cloning(*demonstrations) if demonstrations else on_policy.no_extra_losses
        losses = self.improve(trial, self.agent.trial_reader(trial), progress, extra)
        return metrics | losses

    def any_env(self) -> GoalEnv:
        """Environments of training tasks, whose goals the policy does not observe."""
        tasks = self.source.draw(self.config.trials, self.streams["tasks"])
        return as_goal_env(self.source.env(tasks.tasks, self.streams["world"]))

    def collect(self, agent: Agent[OnPolicyLearner], env: Env, stream: str) -> Trial:
        trial = rollout(
            agent.policy(explore=True), env, self.streams[stream], agent.inputs, keep_next_obs=True
        )
        self.env_steps += int(trial.outcome.mask.sum())
        return trial

    def _play(self, goals: Tensor, proposed_by: Trial | None) -> Round:
        tasks = self.source.check(TaskSet(self.source.card.id, "train", {"goal": goals}))
        trial = self.collect(self.agent, self.source.env(tasks.tasks, self.streams["world"]), "act")
        assert trial.next_obs is not None, "rolled out with next observations"
        at_goal = self.map.at(trial.next_obs, goals.unsqueeze(1)) & trial.outcome.mask
        return Round(goals, proposed_by, trial, at_goal, self.away(trial, goals))

    def away(self, trial: Trial, goals: Tensor) -> Tensor:
        """Whether goals differ from where their trials begin, [B] bool."""
        return ~self.map.at(trial.obs[:, 0], goals)

    def _cloning(self, trial: Trial, selected: Tensor) -> on_policy.ExtraLosses:
        learner, read = self.agent.learner, self.agent.trial_reader(trial)
        with torch.no_grad():
            encoded, _ = read(torch.arange(len(selected)))
            old = learner.policy(encoded.z).log_prob(encoded.action)

        def losses(rows: Tensor) -> dict[str, Tensor]:
            encoded, _ = read(rows)
            log_ratio = learner.policy(encoded.z).log_prob(encoded.action) - old[rows]
            loss = clipped_surrogate(log_ratio, torch.ones(()), learner.config.clip)
            loss = mean(loss * selected[rows].unsqueeze(1), encoded.mask)
            return {"cloning": self.config.cloning_weight * loss}

        return losses


def as_goal_env(env: Env) -> GoalEnv:
    assert isinstance(env, GoalEnv), "checked by the method's requirements"
    return env


def with_reward(trial: Trial, reward: Tensor) -> Trial:
    return replace(trial, outcome=replace(trial.outcome, reward=reward))


def with_goals(trial: Trial, goals: Tensor) -> Trial:
    """The same steps, conditioned on these goals."""
    return replace(trial, task=goals)


def last_obs(trial: Trial) -> Tensor:
    """The observation after the last step of every trial, [B, O]."""
    assert trial.next_obs is not None, "rolled out with next observations"
    last = trial.outcome.mask.sum(1) - 1
    return trial.next_obs[torch.arange(len(last)), last]


def curriculum(played: Round) -> dict[str, float]:
    """How far and how varied the goals are, and how many were reached."""
    goals, start = played.goals, played.trial.obs[:, 0]
    return {
        "reached": played.reached.float().mean().item(),
        "away": played.away.float().mean().item(),
        "distance": (goals - start).norm(dim=1).mean().item(),
        "spread": (goals - goals.mean(0)).norm(dim=1).square().mean().sqrt().item(),
    }
