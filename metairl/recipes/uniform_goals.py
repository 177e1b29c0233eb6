"""Goals drawn evenly from the free space of the world.

g      ~ U(free space)
ways   none
"""

from torch import Tensor

from metairl.recipes import reaching
from metairl.types import Trial

Config = reaching.Config


class UniformGoals(reaching.Reaching):
    def propose(self) -> tuple[Tensor, Trial | None]:
        return self.somewhere().anywhere(self.streams["propose"]), None
