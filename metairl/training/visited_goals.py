"""Goals among the states that the policy visited, and hindsight relabelling of its failures.

g       any of the newest visited states
cloned  the policy's own trials, relabelled with where they ended, if that is away from the start
        and their own goal was not reached (hindsight: Andrychowicz et al. 2017, arXiv:1707.01495)
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.agents.rl.ppo import PPO
from metairl.core.types import Trial
from metairl.data.task_sources import TrainingTasks
from metairl.training import goal_reaching
from metairl.training.goal_reaching import Round, last_obs, with_goals


@dataclass(frozen=True)
class Config(goal_reaching.Config):
    keep: int = 50_000  # newest visited states that goals are sampled from


class VisitedGoals(goal_reaching.GoalReaching):
    def __init__(self, agent: Agent[PPO], source: TrainingTasks, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        self.visited = self.map.reset()

    def propose(self) -> tuple[Tensor, Trial | None]:
        which = torch.randint(len(self.visited), (self.config.trials,), generator=self.streams["propose"])
        return self.visited[which], None

    def demonstrations(self, played: Round) -> tuple[Trial, Tensor]:
        end = last_obs(played.trial)
        return with_goals(played.trial, end), self.away(played.trial, end) & ~played.reached

    def update_proposer(self, played: Round, progress: float) -> dict[str, float]:
        assert played.trial.next_obs is not None, "rolled out with next observations"
        visited = played.trial.next_obs[played.trial.outcome.mask]
        self.visited = torch.cat([self.visited, visited])[-self.config.keep :]
        return {}

    def state(self) -> dict[str, Any]:
        return super().state() | {"visited": self.visited}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.visited = state["visited"]
