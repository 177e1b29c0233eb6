"""Goals drawn evenly from the free space of the world.

g      ~ U(free space)
ways   none
"""

from torch import Tensor

from metairl.core.types import Trial
from metairl.training import goal_reaching

Config = goal_reaching.Config


class UniformGoals(goal_reaching.GoalReaching):
    def propose(self) -> tuple[Tensor, Trial | None]:
        return self.somewhere().anywhere(self.streams["propose"]), None
