"""What ends an episode early, read from what is seen, against the engine's state and Gymnasium's own word."""

from dataclasses import replace
from typing import Any

import gymnasium
import pytest
import torch
from torch import Tensor

from metairl.core.rng import stream
from metairl.envs import make
from metairl.envs.locomotion import Locomotion
from metairl.envs.mujoco_bodies import BODIES
from metairl.envs.termination import ends_of, ends_unseen
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard

LANES = 200
OFFICIAL = {
    "hopper": "Hopper-v5",
    "walker-rand-params": "Walker2d-v5",
    "ant-dir": "Ant-v5",
    "ant-goal": "Ant-v5",  # which sees its place
    "humanoid-dir": "Humanoid-v5",
}


def falling(name: str) -> TaskCard:
    """The card, where an episode ends when the body falls."""
    card = catalogue.task(name)
    assert card.physics
    return card.model_copy(update={"physics": card.physics.model_copy(update={"falls": True})})


def somewhere(card: TaskCard) -> Locomotion:
    """Bodies in any state, most of them far from where episodes begin."""
    rng = stream("states")
    env = make(card, sampling.sample_tasks(card, LANES, rng), rng)
    assert isinstance(env, Locomotion)
    qpos = env.origin + 2 * torch.rand(LANES, len(env.origin), generator=rng) - 1
    qpos[:20, -1] = 150.0  # a joint wound up, which no hopper survives
    qvel = 20 * torch.randn(LANES, env.velocities, generator=rng)
    env.engine.put(env.everyone, {"qpos": qpos, "qvel": qvel})
    return env


def official(name: str, env: Locomotion) -> Tensor:
    gym_env: Any = gymnasium.make(OFFICIAL[name]).unwrapped
    healthy = []
    for qpos, qvel in zip(*(env.engine.field(part) for part in ("qpos", "qvel")), strict=True):
        gym_env.set_state(qpos.numpy(), qvel.numpy())
        healthy.append(bool(gym_env.is_healthy))
    return torch.tensor(healthy)


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_body_that_is_seen_stands_where_the_one_that_is_simulated_does(name: str) -> None:
    card = falling(name)
    env, fallen = somewhere(card), ends_of(card)
    assert fallen
    healthy = env.body.healthy(env.engine)
    assert 0.1 < healthy.float().mean() < 0.9
    assert torch.equal(healthy, official(name, env))
    assert torch.equal(~healthy, fallen(env._see()))


def test_positions_and_velocities_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[Tensor] = []

    def stands(positions: Tensor, velocities: Tensor) -> Tensor:
        handed.extend((positions, velocities))
        return positions[:, 0] > 0

    card = falling("ant-goal")
    env = somewhere(card)
    monkeypatch.setitem(BODIES, "ant", replace(BODIES["ant"], stands=stands))
    fallen = ends_of(card)
    assert fallen and fallen(env._see()).any()
    assert torch.equal(handed[0], env.engine.field("qpos")[:, 2:].float())
    assert torch.equal(handed[1], env.engine.field("qvel").float())


@pytest.mark.parametrize("name", ["hopper", "walker-rand-params"])
def test_episodes_end_where_what_a_step_led_to_says_so(name: str) -> None:
    card = catalogue.task(name)
    env, fallen = make(card, sampling.sample_tasks(card, 50, stream("tasks")), stream("world")), ends_of(card)
    assert fallen
    env.reset()
    rng, ends = stream("act"), 0
    for _ in range(60):
        step = env.step(2 * torch.rand(50, env.spec.actions, generator=rng) - 1)
        assert torch.equal(step.terminated, fallen(step.next_obs))
        ends += int(step.terminated.sum())
    assert ends > 20


def test_where_nothing_falls_nothing_ends() -> None:
    for name in ("half-cheetah", "ant-goal", "point-robot", "ml1"):
        card = catalogue.task(name)
        assert ends_of(card) is None and not ends_unseen(card)
    assert ends_of(falling("half-cheetah")) is None


def test_worlds_whose_ends_nothing_reads() -> None:
    cards = map(catalogue.task, catalogue.task_ids())
    assert {card.world for card in cards if ends_unseen(card)} == {
        "acrobot",
        "cart-pole",
        "lander",
        "maze",
        "maze-grid",
    }
