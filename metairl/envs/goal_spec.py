"""Which worlds' tasks ask to arrive at something that can be seen: what each calls its goal."""

from metairl.core.types import GoalSpec
from metairl.envs import point
from metairl.envs.locomotion_rewards import speed_seen
from metairl.envs.metaworld import reaching
from metairl.envs.mujoco_bodies import BODIES
from metairl.tasks.cards import TaskCard

POINTS = ("point", "point-sparse", "point-maze")


def goal_of(card: TaskCard) -> GoalSpec | None:
    """None where no goal can be read from what is seen."""
    if card.world in POINTS:
        return point.GOAL
    if card.physics:
        seen = BODIES[card.physics.body].speed
        alone = card.physics.aim == "velocity" and list(card.parameters) == ["velocity"]
        return speed_seen(seen) if alone and seen is not None and not card.physics.sees_place else None
    if card.arm and {*card.skill_goals.train, *card.skill_goals.test} == {"reach-v3"}:
        return reaching.GOAL
    return None
