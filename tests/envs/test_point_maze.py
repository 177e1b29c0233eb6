"""A wall that cannot be walked through, and what success looks like."""

import torch
from torch import tensor
from torch.testing import assert_close

from metairl.core.interfaces import GoalEnv, SuccessExampleEnv
from metairl.core.rng import stream
from metairl.envs.point import Point
from metairl.envs.point_maze import EDGE, PointMaze, moved
from metairl.tasks import catalogue, sampling

GOALS = {"goal": tensor([[0.7, 0.6], [0.5, 0.85]])}


def test_a_wall_stops_what_goes_through_it_and_lets_it_slide() -> None:
    here = tensor([[0.5, 0.28], [0.5, 0.32], [0.05, 0.28], [0.14, 0.28], [0.5, 0.1], [0.95, -0.95]])
    by = tensor([[0.05, 0.1], [0.05, -0.1], [0.0, 0.1], [-0.1, 0.04], [0.0, 0.1], [0.1, -0.1]])
    there = tensor([[0.55, 0.28], [0.55, 0.32], [0.05, 0.38], [0.04, 0.32], [0.5, 0.2], [1.0, -1.0]])
    assert_close(moved(here, by), there)


def test_corners_are_cut_only_where_the_way_is_free() -> None:
    """Both cross half way, one at 0.11 and one at 0.09; the wall ends at 0.1."""
    here = tensor([[EDGE + 0.04, 0.28], [EDGE + 0.02, 0.28]])
    there = moved(here, tensor([[-0.06, 0.04], [-0.06, 0.04]]))
    assert_close(there[:, 1], tensor([0.28, 0.32]))


def test_success_is_near_the_goal_and_pays_one() -> None:
    env = PointMaze(GOALS, horizon=3, episodes=1, rng=stream("maze"))
    assert_close(env.reset(), tensor([[0.6, -0.8], [0.6, -0.8]]))
    env.here = tensor([[0.7, 0.72], [0.7, 0.72]])
    step = env.step(tensor([[0.0, 0.5], [0.0, 0.5]]))
    assert step.success.tolist() == [True, False] and step.reward.tolist() == [1.0, 0.0]
    env.step(torch.zeros(2, 2))
    last = env.step(torch.zeros(2, 2))
    assert last.truncated.all() and not last.terminated.any()
    assert_close(last.next_obs, tensor([[0.7, 0.77], [0.7, 0.77]]))
    assert_close(last.obs, tensor([[0.6, -0.8], [0.6, -0.8]]))


def test_examples_are_successes_on_the_goals_side_of_the_wall() -> None:
    card = catalogue.task("point-maze:examples=50")
    env = PointMaze(sampling.task_set(card, "test")[:], 50, 1, stream("maze"))
    assert isinstance(env, SuccessExampleEnv)
    seen = env.examples(50, stream("examples"))
    assert seen.shape == (100, 50, 2)
    away = (seen - env.task.unsqueeze(1)).norm(dim=-1)
    assert away.max() <= 0.2 and away.mean() > 0.1
    assert seen[..., 1].min() > 0.3 and seen.max() <= 1


def test_examples_fill_the_disc_evenly() -> None:
    """Half of a disc is within 1 / √2 of its radius, and as much is on every side."""
    env = Point({"goal": torch.zeros(1, 2)}, 20, 1, stream("point"))
    seen = env.examples(20_000, stream("examples"))[0]
    assert abs((seen.norm(dim=1) < 0.2 / 2**0.5).float().mean().item() - 0.5) < 0.02
    assert seen.mean(0).abs().max() < 0.005


def test_places_at_a_goal_are_those_that_the_judge_calls_success() -> None:
    env = PointMaze(GOALS, horizon=3, episodes=1, rng=stream("maze"))
    assert isinstance(env, GoalEnv)
    places = tensor([[0.7, 0.79], [0.7, 0.81]])
    assert env.at(places, tensor([0.7, 0.6])).tolist() == [True, False]
    for away, there in ((-0.12, True), (0.12, True), (-0.15, False), (0.15, False)):
        env.here = env.task + away
        step = env.step(torch.zeros(2, 2))
        assert step.success.tolist() == env.at(env.task + away, env.task).tolist() == [there, there]
