"""A wall that cannot be walked through, and what success looks like."""

import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from metairl import catalogue, draws
from metairl.streams import stream
from metairl.types import GoalWorld, PlaceWorld
from metairl.worlds import make
from metairl.worlds.point import Point
from metairl.worlds.point_maze import CORRIDORS, EDGE, PointMaze, moved

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
    world = PointMaze(GOALS, horizon=3, episodes=1, rng=stream("maze"))
    assert_close(world.reset(), tensor([[0.6, -0.8], [0.6, -0.8]]))
    world.here = tensor([[0.7, 0.72], [0.7, 0.72]])
    step = world.step(tensor([[0.0, 0.5], [0.0, 0.5]]))
    assert step.success.tolist() == [True, False] and step.reward.tolist() == [1.0, 0.0]
    world.step(torch.zeros(2, 2))
    last = world.step(torch.zeros(2, 2))
    assert last.truncated.all() and not last.terminated.any()
    assert_close(last.final_obs, tensor([[0.7, 0.77], [0.7, 0.77]]))
    assert_close(last.obs, tensor([[0.6, -0.8], [0.6, -0.8]]))


def test_examples_are_successes_on_the_goals_side_of_the_wall() -> None:
    card = catalogue.task("point-maze:examples=50")
    world = PointMaze(draws.task_set(card, "test")[:], 50, 1, stream("maze"))
    assert isinstance(world, GoalWorld)
    seen = world.examples(50, stream("examples"))
    assert seen.shape == (100, 50, 2)
    away = (seen - world.task.unsqueeze(1)).norm(dim=-1)
    assert away.max() <= 0.2 and away.mean() > 0.1
    assert seen[..., 1].min() > 0.3 and seen.max() <= 1


def test_examples_fill_the_disc_evenly() -> None:
    """Half of a disc is within 1 / √2 of its radius, and as much is on every side."""
    world = Point({"goal": torch.zeros(1, 2)}, 20, 1, stream("point"))
    seen = world.examples(20_000, stream("examples"))[0]
    assert abs((seen.norm(dim=1) < 0.2 / 2**0.5).float().mean().item() - 0.5) < 0.02
    assert seen.mean(0).abs().max() < 0.005


def test_corridors_are_one_way_with_closed_ends() -> None:
    """Through the open end of each wall, and nowhere else, the edges of the square among them."""
    heights, ends = tensor([-0.5, 0.0, 0.5]), tensor([[-0.59, -0.61], [0.59, 0.61], [-0.59, -0.61]])
    for wall, (closed, free) in zip(heights, ends, strict=True):
        here = torch.stack([torch.stack([x, wall - 0.05]) for x in (closed, free)])
        there = moved(here, tensor([[0.0, 0.1], [0.0, 0.1]]), CORRIDORS.walls)
        assert (there[:, 1] > wall).tolist() == [False, True]
    edges = tensor([[1.0, -0.55], [-1.0, -0.05], [1.0, 0.45]])
    there = moved(edges, tensor([[0.1, 0.1], [-0.1, 0.1], [0.1, 0.1]]), CORRIDORS.walls)
    assert_close(there, edges)


def test_the_held_out_goals_are_a_walk_through_all_corridors_away() -> None:
    card = catalogue.task("point-corridors")
    world = make(card, draws.task_set(card, "test")[:], stream("maze"))
    assert isinstance(world, PlaceWorld)
    assert not world.at(world.reset(), world.task).any()
    found, turns = torch.zeros(100, dtype=torch.bool), iter((-0.7, 0.7, -0.7, 0.85))
    for height in (-0.25, 0.25, 0.75, 0.85):
        found |= walked(world, next(turns), height, steps=25)
    assert found.all()
    assert not walked(world, 0.85, 0.85, steps=card.horizon).any()  # straight there


def walked(world: PlaceWorld, across: float, height: float, steps: int) -> Tensor:
    """Whether goals were met on the way to a place, first across, then up."""
    met = torch.zeros(world.lanes, dtype=torch.bool)
    obs = world.here if isinstance(world, PointMaze) else world.reset()
    for _ in range(steps):
        away = tensor([across, height]) - obs
        away[:, 1] *= away[:, 0].abs() < 0.05
        step = world.step(10 * away)
        obs, met = step.obs, met | step.success
    return met
