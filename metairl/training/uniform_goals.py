"""Goals uniform over the free space of the environment; nothing is cloned."""

from torch import Tensor

from metairl.core.types import Trial
from metairl.training import goal_reaching

Config = goal_reaching.Config


class UniformGoals(goal_reaching.GoalReaching):
    def propose(self) -> tuple[Tensor, Trial | None]:
        return self.any_env().sample_goals(self.streams["propose"]), None
