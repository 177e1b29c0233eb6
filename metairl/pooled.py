"""How the metaworld package counts success in meta-testing, to read published numbers beside ours.

    some goals of every skill act at the same time, each in its lane
    10 episodes to adapt, of full length
    then episodes that end as soon as they succeed: of every skill the first 3 to finish anywhere are counted
    all that again with other goals, 10 times

The first to finish are those that succeed: a policy that solves one goal in four scores 1, since the lane of
that goal finishes three times before the others do once. `protocol` counts every goal alike instead.
Lanes that finish in the same step are counted in their order. Memory is kept, as in our own protocol.
"""

from dataclasses import dataclass

ADAPTING, COUNTED = 10, 3  # episodes
LANES_A_SKILL = {10: 4, 25: 10, 45: 9}  # by the skills trained on, as its recipes have it
ROUNDS = 10


@dataclass(frozen=True)
class Pooled:
    success: dict[str, float]  # by skill

    @property
    def mean(self) -> float:
        return sum(self.success.values()) / len(self.success)
