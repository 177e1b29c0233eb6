"""What worlds call their goals: reached, they are what the world itself calls a success of."""

import pytest
import torch

from metairl.core.rng import stream
from metairl.envs import make
from metairl.envs.goal_spec import goal_of
from metairl.envs.locomotion import Locomotion
from metairl.envs.metaworld import MetaWorld
from metairl.tasks import catalogue, sampling

WITH = {
    "point-robot", "point-robot-sparse", "point-robot-semi-circle", "point-maze", "half-cheetah-vel",
    "half-cheetah-vel-heavy", "ml1", "mt1", "ml1-outside",
}  # fmt: skip


def test_cards_with_goals_are_those_whose_goal_can_be_seen() -> None:
    found = {name.rpartition("-v")[0] for name in catalogue.task_ids() if goal_of(catalogue.task(name))}
    assert found == WITH
    assert goal_of(catalogue.task("ml1:skill=push")) is None


@pytest.mark.parametrize("name", ["point-robot-sparse", "point-maze"])
def test_a_point_is_at_its_goal_where_the_world_calls_it_a_success(name: str) -> None:
    card = catalogue.task(name)
    goal = goal_of(card)
    assert goal
    tasks = sampling.sample_tasks(card, 200, stream("tasks"))
    env = make(card, tasks, stream("world"))
    seen = env.reset()
    successes = []
    for _ in range(card.horizon - 1):
        towards = (env.task - seen) * 10 if name == "point-robot-sparse" else torch.randn(200, 2).sign()
        step = env.step(towards)
        seen = step.obs
        near = (goal.achieved(step.next_obs) - env.task).norm(dim=-1) <= goal.radius
        assert torch.equal(near, step.success)
        successes.append(near)
    told = goal.with_goal(env.task, goal.achieved(seen))
    assert told.shape == env.task.shape and torch.equal(told, seen)
    assert name == "point-maze" or torch.stack(successes).any(0).all()


def test_fingertips_reach_where_the_world_calls_it_a_success() -> None:
    card = catalogue.task("ml1")
    goal = goal_of(card)
    assert goal
    tasks = sampling.sample_tasks(card, 4, stream("tasks"))
    env = make(card, tasks, stream("world"))
    assert isinstance(env, MetaWorld)
    told = goal.with_goal(env.task, env.task[:, 50:53])
    torch.testing.assert_close(told, env.task)  # a target is told twice
    seen, target = env.reset(), env.task[:, 50:53]
    reached = torch.zeros(4, dtype=torch.bool)
    for _ in range(120):
        away = target - goal.achieved(seen)
        step = env.step(torch.cat([(20 * away).clamp(-1, 1), torch.zeros(4, 1)], dim=1))
        seen = step.obs
        apart = (goal.achieved(step.next_obs) - target).norm(dim=-1)
        torch.testing.assert_close(
            apart, env.scenes[0].scene.tcp.float().sub(target).norm(dim=-1), atol=1e-2, rtol=0
        )
        assert torch.equal(apart <= goal.radius, step.success) or (apart - goal.radius).abs().min() < 1e-2
        reached |= step.success
    assert reached.all()


def test_a_cheetahs_goal_is_how_fast_it_is() -> None:
    card = catalogue.task("half-cheetah-vel:episodes=1")
    goal = goal_of(card)
    assert goal
    env = make(card, sampling.sample_tasks(card, 3, stream("tasks")), stream("world"))
    assert isinstance(env, Locomotion)
    env.reset()
    rng = stream("act")
    for _ in range(20):
        step = env.step(2 * torch.rand(3, 6, generator=rng) - 1)
    moving = env.engine.field("qvel")[:, :1].float()
    torch.testing.assert_close(goal.achieved(step.next_obs), moving)
    torch.testing.assert_close(goal.with_goal(env.task, moving), moving)
