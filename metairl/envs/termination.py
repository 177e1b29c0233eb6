"""Where an early end of an episode can be seen: what observations say of it, for worlds that are learned.

A body ends an episode by falling, and whether it stands follows from what is seen of its joints. Speeds are
cut before they are seen where Gymnasium cuts them: a hopper that stands at a hundred radians a second is not
found out.
"""

from collections.abc import Callable

from torch import Tensor

from metairl.envs import ENVS
from metairl.envs.mujoco_bodies import BODIES
from metairl.envs.mujoco_models import compiled
from metairl.tasks.cards import Physics, TaskCard

Ends = Callable[[Tensor], Tensor]  # what a step led to, [B, O], to whether the episode is over, [B] bool


def ends_of(card: TaskCard) -> Ends | None:
    """None where nothing that is seen ends an episode."""
    return _falls(card.physics) if card.physics and card.physics.falls else None


def ends_unseen(card: TaskCard) -> bool:
    """Whether episodes may end early by what nothing here reads from an observation.

    Worlds whose episodes may end early are those whose lanes can be renewed.
    """
    return card.physics is None and hasattr(ENVS[card.world], "reset_lanes")


def _falls(physics: Physics) -> Ends | None:
    body = BODIES[physics.body]
    stands = body.stands
    if stands is None:
        return None
    model = compiled(physics.xml or body.xml, body.reads)
    joints = model.nq - body.axes
    first = body.axes if physics.sees_place else 0

    def fallen(obs: Tensor) -> Tensor:
        positions, velocities, _ = obs[:, first:].tensor_split([joints, joints + model.nv], dim=1)
        return ~stands(positions, velocities)

    return fallen
