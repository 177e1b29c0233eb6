"""A lane that is given a new task is the lane of a new world, and the others do not notice."""

import pytest
import torch
from torch import Tensor

from metairl.core.interfaces import Env, LaneResetEnv
from metairl.core.rng import stream
from metairl.core.types import Spec, Step, Tasks
from metairl.envs import ENVS, make
from metairl.envs.engines import Kind
from metairl.envs.locomotion import Locomotion
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS

LANES, BEFORE, AFTER, HORIZON = 5, 4, 4, 6  # an age that is kept would end a renewed lane's episode
RENEWED = torch.tensor([True, False, False, True, False])
BODIES = ("half-cheetah-vel-heavy", "hopper-rand-params", "ant-goal-crippled")
CASES = [(maze, "cpu") for maze in ("snail-maze", "snail-maze-grid")] + [
    (body, engine) for body in BODIES for engine in ("cpu", "serial")
]
ENDS_TOGETHER = {
    "bandit",
    "meta-world",
    "tabular",
    "tokens",
    "point",
    "point-maze",
    "point-sparse",
    *FINITE_MDPS,
}

pytestmark = pytest.mark.filterwarnings("ignore:compiler attribute 'settotalmass'")  # of half_cheetah.xml


def test_every_world_can_renew_or_ends_all_trials_together() -> None:
    assert {name for name, env in ENVS.items() if not hasattr(env, "reset_lanes")} == ENDS_TOGETHER


@pytest.mark.parametrize("name, engine", CASES)
def test_a_renewed_lane_is_one_of_a_new_world(name: str, engine: Kind) -> None:
    card = catalogue.task(name).model_copy(update={"horizon": HORIZON})
    env, later = begun(card, engine)
    seen = env.reset_lanes(RENEWED, later)
    new = make(card, later, stream("new"), engine)
    assert torch.equal(env.task[RENEWED], new.task)
    begin_alike(new, env, seen)
    for action in actions(env.spec, AFTER):
        alike(env.step(action), RENEWED, new.step(action[RENEWED]))


@pytest.mark.parametrize("name, engine", CASES)
def test_the_other_lanes_do_not_notice(name: str, engine: Kind) -> None:
    env, later = begun(catalogue.task(name), engine)
    undisturbed, _ = begun(catalogue.task(name), engine)
    env.reset_lanes(RENEWED, later)
    for action in actions(env.spec, AFTER):
        step, wanted = env.step(action), undisturbed.step(action)
        others = Step(*(getattr(wanted, part)[~RENEWED] for part in PARTS))
        alike(step, ~RENEWED, others)


PARTS = ("obs", "reward", "terminated", "truncated", "success", "next_obs")


def begun(card: TaskCard, engine: Kind) -> tuple[LaneResetEnv, Tasks]:
    """A world in the middle of its first episode, and tasks for lanes to be renewed."""
    rng = stream("renewal", card.id)
    first, later = (sampling.train_tasks(card, count, rng).tasks for count in (LANES, int(RENEWED.sum())))
    env = make(card, first, rng, engine)
    env.reset()
    for action in actions(env.spec, BEFORE):
        env.step(action)
    assert isinstance(env, LaneResetEnv)
    return env, later


def begin_alike(new: Env, env: LaneResetEnv, seen: Tensor) -> None:
    """A body begins somewhere at random: both at the same place. Elsewhere the first sight is the task's."""
    if isinstance(new, Locomotion) and isinstance(env, Locomotion):
        lanes = torch.ones(new.lanes, dtype=torch.bool)
        new.engine.put(lanes, {name: env.engine.field(name)[RENEWED] for name in ("qpos", "qvel")})
        new.place = new.body.place(new.engine).clone()
        assert torch.equal(seen, new._see())
    else:
        assert torch.equal(seen, new.reset())


def actions(spec: Spec, count: int) -> list[Tensor]:
    rng = stream("actions", count)
    if spec.discrete:
        return list(torch.randint(spec.actions, (count, LANES), generator=rng))
    return list(2 * torch.rand(count, LANES, spec.actions, generator=rng) - 1)


def alike(step: Step, lanes: Tensor, wanted: Step) -> None:
    for part in PARTS:
        assert torch.equal(getattr(step, part)[lanes], getattr(wanted, part)), part
