"""Bodies against Gymnasium's own environments, the engine against one simulation after another."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor

from metairl.core.errors import CardError
from metairl.core.rng import stream
from metairl.envs import engines, make
from metairl.envs.locomotion import Locomotion
from metairl.envs.mujoco_bodies import BODIES
from metairl.envs.mujoco_models import compiled, factor
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import Physics

ALONE = torch.ones(1, dtype=torch.bool)


@dataclass(frozen=True)
class Official:
    """A Gymnasium environment and the weights of its reward."""

    id: str
    weights: dict[str, Any]


OFFICIAL = {
    "half-cheetah": Official("HalfCheetah-v5", {"control": 0.1}),
    "hopper": Official("Hopper-v5", {"control": 1e-3, "alive": 1.0, "falls": True}),
    "walker": Official("Walker2d-v5", {"control": 1e-3, "alive": 1.0, "falls": True}),
    "ant": Official("Ant-v5", {"control": 0.5, "contact": 5e-4, "alive": 1.0, "falls": True}),
    "humanoid": Official(
        "Humanoid-v5",
        {
            "progress": 1.25,
            "control": 0.1,
            "contact": 5e-7,
            "contact_limit": 10.0,
            "alive": 5.0,
            "falls": True,
        },
    ),
}


def begin_alike(env: Locomotion, gym_env: Any) -> None:
    """Gymnasium's simulation from our start; `set_state` alone would keep the solver's memory."""
    mujoco.mj_resetData(gym_env.model, gym_env.data)
    gym_env.set_state(env.engine.field("qpos")[0].numpy(), env.engine.field("qvel")[0].numpy())


@pytest.mark.filterwarnings("ignore:compiler attribute 'settotalmass'")  # of half_cheetah.xml
@pytest.mark.parametrize("body", OFFICIAL)
def test_a_thousand_steps_are_gymnasiums(body: str) -> None:
    physics = Physics(body=body, aim="forward", **OFFICIAL[body].weights)
    env = Locomotion({"forward": torch.ones(1, 1)}, 200, 1, stream("parity"), physics)
    assert ends_alike(env, gymnasium.make(OFFICIAL[body].id).unwrapped) >= 5


@pytest.mark.filterwarnings("ignore:compiler attribute 'settotalmass'")
@pytest.mark.parametrize("name", ["half-cheetah", "hopper"])
def test_cards_of_one_task_are_gymnasiums(name: str) -> None:
    card, gym_env = catalogue.task(name), gymnasium.make(OFFICIAL[name].id)
    assert gym_env.spec and card.horizon == gym_env.spec.max_episode_steps
    env = make(card, sampling.task_set(card, "test")[slice(1)], stream("parity"))
    assert isinstance(env, Locomotion)
    assert ends_alike(env, gym_env.unwrapped) >= (5 if card.physics and card.physics.falls else 1)


def ends_alike(env: Locomotion, gym_env: Any) -> int:
    """How many episodes ended in a thousand random steps, all of which were the same in both."""
    obs = env.reset()
    begin_alike(env, gym_env)
    torch.testing.assert_close(obs[0], torch.tensor(gym_env._get_obs()).float(), rtol=1e-6, atol=1e-6)
    ends = 0
    for action in np.random.default_rng(0).uniform(-1, 1, (1000, env.spec.actions)):
        obs, reward, terminated, _, _ = gym_env.step(action * gym_env.model.actuator_ctrlrange[:, 1])
        step = env.step(torch.from_numpy(action)[None])
        torch.testing.assert_close(step.next_obs[0], torch.tensor(obs).float(), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(step.reward[0], torch.tensor(reward).float(), rtol=1e-6, atol=1e-6)
        assert terminated == bool(step.terminated[0])
        if step.done[0]:
            ends += 1
            begin_alike(env, gym_env)
            torch.testing.assert_close(
                step.obs[0], torch.tensor(gym_env._get_obs()).float(), rtol=1e-6, atol=1e-6
            )
    return ends


def states(model: mujoco.MjModel, lanes: int) -> dict[str, Tensor]:
    rng = stream("states")
    qpos = torch.from_numpy(model.qpos0) + 0.1 * (2 * torch.rand(lanes, model.nq, generator=rng) - 1)
    qvel = 0.1 * torch.randn(lanes, model.nv, generator=rng, dtype=torch.float64)
    return {"qpos": qpos, "qvel": qvel}


def controls(model: mujoco.MjModel, steps: int, lanes: int) -> Tensor:
    return 2 * torch.rand(steps, lanes, model.nu, generator=stream("controls"), dtype=torch.float64) - 1


@pytest.mark.parametrize("body", ["walker", "ant"])
def test_sixty_four_bodies_are_sixty_four_simulations(body: str) -> None:
    lanes, reads = 64, BODIES[body].reads
    model = compiled(BODIES[body].xml, reads)
    rng = stream("multipliers")
    by = {
        name: 1.5 ** (2 * torch.rand(lanes, *getattr(model, name).shape, generator=rng) - 1)
        for name in ("body_mass", "body_inertia", "dof_damping", "geom_friction")
    }
    both = [engines.make(model, lanes, reads, kind) for kind in ("cpu", "serial")]
    for engine in both:
        for name, values in by.items():
            engine.scale(name, factor(model, name, values))
        engine.put(torch.ones(lanes, dtype=torch.bool), states(model, lanes))
        for control in controls(model, 20, lanes):
            engine.field("ctrl").copy_(control)
            engine.step(5)
    for name in ("qpos", "qvel", *reads):
        ours, alone = (engine.field(name) for engine in both)
        assert torch.equal(ours, alone), name
    assert both[0].field("qpos").std(0).max() > 0.05  # they are not one body


def test_saved_and_restored_it_goes_on_to_the_last_bit() -> None:
    model = compiled("ant.xml", ("cfrc_ext",))
    engine = engines.make(model, 4, ("cfrc_ext",), "cpu")
    engine.put(torch.ones(4, dtype=torch.bool), states(model, 4))

    def ends(steps: Tensor) -> list[Tensor]:
        for control in steps:
            engine.field("ctrl").copy_(control)
            engine.step(5)
        return [engine.field(name).clone() for name in ("qpos", "qvel", "cfrc_ext")]

    before, after = controls(model, 60, 4).chunk(2)
    ends(before)
    saved = engine.save()
    first = ends(after)
    ends(before)  # somewhere else
    engine.load(saved)
    for x, y in zip(first, ends(after), strict=True):
        assert torch.equal(x, y)


def test_beginning_anew_in_some_lanes_leaves_the_others_alone() -> None:
    model = compiled("ant.xml", ("xpos", "cfrc_ext"))
    engine = engines.make(model, 3, ("xpos", "cfrc_ext"), "cpu")
    start = states(model, 3)
    engine.put(torch.ones(3, dtype=torch.bool), start)
    engine.step(5)
    before = {name: engine.field(name).clone() for name in ("qpos", "qvel", "xpos", "cfrc_ext")}
    engine.put(torch.tensor([False, True, False]), {name: rows[1:2] for name, rows in start.items()})
    for name, values in before.items():
        assert torch.equal(engine.field(name)[[0, 2]], values[[0, 2]]), name
    assert torch.equal(engine.field("qpos")[1], start["qpos"][1])
    assert not engine.field("cfrc_ext")[
        1
    ].any()  # Gymnasium's is zero at a start, and at its start an ant flies


def world_of(lanes: int, horizon: int = 5, **weights: Any) -> Locomotion:
    physics = Physics(**{"body": "half-cheetah", "aim": "velocity"} | weights)
    return Locomotion({"velocity": torch.ones(lanes, 1)}, horizon, 2, stream("world"), physics)


def test_an_episode_ends_in_the_step_that_begins_the_next() -> None:
    env = world_of(3)
    env.reset()
    steps = [env.step(torch.zeros(3, 6)) for _ in range(6)]
    assert [bool(step.truncated.all()) for step in steps] == [False] * 4 + [True, False]
    assert not any(step.terminated.any() for step in steps)
    assert torch.equal(steps[3].obs, steps[3].next_obs)
    assert not torch.equal(steps[4].obs, steps[4].next_obs)
    assert steps[4].obs[:, :8].abs().max() <= 0.1 + 1e-6  # a start: positions within the noise


def test_speed_is_rewarded_by_its_distance_from_the_wanted_one() -> None:
    env = world_of(2, control=0.05)
    env.reset()
    before = env.engine.field("qpos")[:, 0].clone()
    action = torch.full((2, 6), 0.5)
    step = env.step(action)
    speed = (env.engine.field("qpos")[:, 0] - before) / 0.05
    torch.testing.assert_close(step.reward, (-(speed - 1).abs() - 0.05 * 6 * 0.25).float())


def test_a_simulation_that_diverges_is_ended_marked_and_harmless() -> None:
    env = world_of(3)
    env.reset()
    env.engine.field("qvel")[1] = 1e12
    step = env.step(torch.zeros(3, 6))
    assert step.diverged is not None and step.diverged.tolist() == [False, True, False]
    assert step.terminated.tolist() == [False, True, False]
    assert step.reward[1] == 0
    for values in (step.obs, step.next_obs, step.reward, env.step(torch.zeros(3, 6)).obs):
        assert values.isfinite().all() and values.abs().max() < 100


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"body": "half-cheeta"}, "no body 'half-cheeta'; did you mean 'half-cheetah'"),
        ({"aim": "speed"}, "no aim 'speed'"),
        ({"xml": "cheetah.xml"}, "no model 'cheetah.xml'; did you mean 'half_cheetah.xml'"),
        ({"scale": {"body_mas": 2.0}}, "no field 'body_mas' in a MuJoCo model; did you mean 'body_mass'"),
        ({"scale": {"body_mass:torsoo": 2.0}}, "no body 'torsoo'; did you mean 'torso'"),
        ({"scale": {"key_qpos:x": 2.0}}, "parts of this field have no names"),
    ],
)
def test_what_a_card_misnames_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(CardError, match=said):
        world_of(1, **settings)


def test_a_parameter_that_is_no_part_of_the_body_is_named() -> None:
    physics = Physics(body="ant", aim="forward")
    with pytest.raises(CardError, match="no field 'velocty'"):
        Locomotion({"velocty": torch.ones(1, 1)}, 5, 1, stream("x"), physics)
    with pytest.raises(CardError, match=r"'body_mass' is of shape \[14\], not \[3\]"):
        Locomotion({"body_mass": torch.ones(1, 3)}, 5, 1, stream("x"), physics)
