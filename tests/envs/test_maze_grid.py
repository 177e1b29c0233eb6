"""Mazes: perfect plans, ways by hand, and what a step earns."""

import torch

from metairl.core.rng import stream
from metairl.envs.maze_grid import MazeGrid
from metairl.tasks import catalogue, sampling
from metairl.tasks.maze_text import FREE, GOAL, START, WALL
from metairl.tasks.mazes import MOVES, distances, draw_plans, find

ROOM = torch.tensor([[
    [1, 1, 1, 1, 1],
    [1, 2, 0, 0, 1],
    [1, 1, 1, 0, 1],
    [1, 3, 0, 0, 1],
    [1, 1, 1, 1, 1],
]])  # fmt: skip
UP, RIGHT, DOWN, LEFT = (torch.tensor([i]) for i in range(4))


def test_every_plan_is_a_perfect_maze() -> None:
    plans = draw_plans(6, 200, stream("plans"))
    open_squares = (plans != WALL).flatten(1).sum(1)
    assert (open_squares == 36 + 35).all()  # cells and the openings of a tree over them
    reached = distances(plans).isfinite().flatten(1).sum(1)
    assert (reached == 36 + 35).all()  # all from one place: connected, so a tree
    for code in (START, GOAL):
        assert ((plans == code).flatten(1).sum(1) == 1).all()
        assert (find(plans, code) % 2 == 1).all()  # in cells, not in openings


def test_walls_are_a_uniform_spanning_tree() -> None:
    # Four cells in a ring have four spanning trees, each with one of the four walls left standing.
    plans = draw_plans(2, 4000, stream("ring"))
    standing = torch.stack([plans[:, 1, 2], plans[:, 2, 1], plans[:, 2, 3], plans[:, 3, 2]], dim=1) == WALL
    assert (standing.sum(1) == 1).all()
    assert ((standing.float().mean(0) - 0.25).abs() < 0.03).all()


def test_distances_by_hand() -> None:
    found = distances(ROOM)[0]
    assert found[3, 1] == 0 and found[3, 3] == 2 and found[1, 3] == 4 and found[1, 1] == 6
    assert found[2, 1].isinf()
    assert ROOM[0, 1, 2] == FREE and tuple(MOVES[1].tolist()) == (0, 1)


def test_an_episode_by_hand() -> None:
    env = MazeGrid({"plan": ROOM}, horizon=8, episodes=2, rng=stream("room"))
    first = env.reset()
    step = env.step(DOWN)  # a wall
    assert step.reward.item() == torch.tensor(-0.011).item() and torch.equal(step.obs, first)
    for action in (RIGHT, RIGHT, DOWN, DOWN, LEFT):
        step = env.step(action)
        assert step.reward.item() == torch.tensor(-0.01).item() and not step.done
    step = env.step(LEFT)
    assert step.reward.item() == torch.tensor(0.99).item()
    assert step.terminated and step.success and not step.truncated
    assert torch.equal(step.obs, first)  # the next episode has begun
    assert step.next_obs[0, 25 + 12] == 1  # the goal, in the middle of what was seen last
    for _ in range(8):
        step = env.step(UP)
    assert step.truncated and not step.terminated and not step.success


def test_lanes_are_their_own() -> None:
    card = catalogue.task("snail-maze-grid")
    tasks = sampling.task_set(card, "test")[slice(0, 50)]
    rng = stream("lanes")
    actions = torch.randint(4, (150, 50), generator=rng)
    together = MazeGrid(tasks, card.horizon, card.episodes, rng)
    alone = MazeGrid({"plan": tasks["plan"][7:8]}, card.horizon, card.episodes, rng)
    assert torch.equal(together.reset()[7:8], alone.reset())
    for action in actions:
        a, b = together.step(action), alone.step(action[7:8])
        assert torch.equal(a.obs[7:8], b.obs) and a.reward[7] == b.reward and a.done[7] == b.done


def test_the_splits_share_no_maze() -> None:
    card = catalogue.task("snail-maze-grid")
    plans = [sampling.task_set(card, split)[slice(None)]["plan"] for split in ("train", "test")]
    walls = [{tuple((plan != WALL).flatten().tolist()) for plan in split} for split in plans]
    assert len(walls[0]) == len(walls[1]) == 1000
    assert not walls[0] & walls[1]
