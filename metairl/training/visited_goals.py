"""Goals where the reacher was itself, and its failures seen as ways to where they ended.

g      any of the places that its newest trials visited
ways   its trials as ways to where they ended, where it failed and that end is away
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
from metairl.training.goal_reaching import Round, ends, towards


@dataclass(frozen=True)
class Config(goal_reaching.Config):
    keep: int = 50_000  # newest places that goals are drawn from


class VisitedGoals(goal_reaching.GoalReaching):
    def __init__(self, agent: Agent[PPO], source: TrainingTasks, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        self.visited = self.map.reset()

    def propose(self) -> tuple[Tensor, Trial | None]:
        which = torch.randint(len(self.visited), (self.config.trials,), generator=self.streams["propose"])
        return self.visited[which], None

    def ways(self, played: Round) -> tuple[Trial, Tensor]:
        end = ends(played.trial)
        return towards(played.trial, end), self.away(played.trial, end) & ~played.reached

    def answered(self, played: Round, progress: float) -> dict[str, float]:
        assert played.trial.next_obs is not None, "what each step led to"
        places = played.trial.next_obs[played.trial.outcome.mask]
        self.visited = torch.cat([self.visited, places])[-self.config.keep :]
        return {}

    def state(self) -> dict[str, Any]:
        return super().state() | {"visited": self.visited}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.visited = state["visited"]
