"""Mazes in first person: steps, turns and pictures by hand."""

from math import atan, ceil, pi

import pytest
import torch
from torch import Tensor

from metairl.core.rng import stream
from metairl.envs.maze_first_person import CEILING, FLOOR, FOCAL, RED, TALL, TOUCH, WIDE, Maze
from metairl.tasks.maze_motion import BODY, FORWARD, LEFT, RIGHT, first_pose, floor_of, walk
from metairl.tasks.mazes import distances, find

ROOM = torch.tensor([[
    [1, 1, 1, 1, 1, 1, 1],
    [1, 2, 0, 0, 0, 0, 1],
    [1, 1, 1, 1, 1, 0, 1],
    [1, 3, 0, 0, 0, 0, 1],
    [1, 1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1, 1, 1],
]])  # fmt: skip


def act(*actions: int) -> list[Tensor]:
    return [torch.tensor([action]) for action in actions]


def picture(obs: Tensor) -> Tensor:
    return obs.view(3, TALL, WIDE)


def is_colour(pixels: Tensor, colour: Tensor) -> Tensor:
    return (pixels == colour).all(0)


def test_a_walk_by_hand() -> None:
    floor = floor_of(ROOM)
    here, facing = first_pose(ROOM, floor)
    assert here.tolist() == [[1.5, 1.5]] and facing.tolist() == [0.0]  # to the right, the only way out
    for action in act(FORWARD, FORWARD):
        here, facing, bump = walk(floor, here, facing, action)
        assert not bump
    assert here.tolist() == [[1.5, 5.5]]
    here, facing, bump = walk(floor, here, facing, torch.tensor([FORWARD]))
    assert bump and here[0, 0] == 1.5 and 5.5 <= here[0, 1] <= 6 - BODY  # as far as the wall lets it
    for action in act(RIGHT, RIGHT, LEFT, RIGHT):
        here, facing, _ = walk(floor, here, facing, action)
    assert facing.item() == pytest.approx(pi / 2)  # down
    here, _, bump = walk(floor, here, facing, torch.tensor([FORWARD]))
    assert not bump and here[0, 0].item() == pytest.approx(3.5, abs=1e-5)


def test_what_is_seen_by_hand() -> None:
    # From (1.5, 1.5) to the right the wall begins at column 6, 4.5 away: rows |y| < f / 9 in the middle.
    env = Maze({"plan": ROOM}, horizon=20, episodes=1, rng=stream("seen"))
    seen = picture(env.reset()[0])
    middle = seen[:, :, WIDE // 2]
    rows = 2 * ceil(FOCAL / (2 * 4.5) - 0.5)
    wall = ~(is_colour(middle, CEILING[:, :, 0]) | is_colour(middle, FLOOR[:, :, 0]))
    assert wall.sum() == rows
    assert is_colour(middle[:, 0], CEILING[:, 0, 0]) and is_colour(middle[:, -1], FLOOR[:, 0, 0])
    # The left edge looks atan(20 / f) to the left, at the corridor's side: nearer, so taller.
    assert atan(WIDE / 2 / FOCAL) == pytest.approx(pi / 4.8)
    assert not is_colour(seen[:, 0, 0], CEILING[:, 0, 0])
    assert not is_colour(seen, RED).any()  # the goal is around two corners


def test_the_goal_is_red_once_it_is_in_line() -> None:
    env = Maze({"plan": ROOM}, horizon=20, episodes=1, rng=stream("goal"))
    opening = env.reset()
    for action in act(FORWARD, FORWARD, RIGHT, RIGHT, FORWARD):
        step = env.step(action)
        assert not is_colour(picture(step.obs[0]), RED).any()
    for action in act(RIGHT, RIGHT):
        step = env.step(action)
    red = is_colour(picture(step.obs[0]), RED)
    assert red[:, WIDE // 2].any() and red[:, 0].sum() == 0
    first = red.sum()
    step = env.step(torch.tensor([FORWARD]))
    assert is_colour(picture(step.obs[0]), RED).sum() > first  # nearer, so larger
    step = env.step(torch.tensor([FORWARD]))
    assert step.success and step.terminated and step.reward.item() == pytest.approx(0.99)
    assert torch.equal(step.obs, opening)
    assert (find(ROOM, 3) + 0.5 - torch.tensor([[3.5, 1.5]])).norm() < TOUCH
    assert distances(ROOM)[0, 1, 1] == 10


def test_lanes_are_their_own() -> None:
    from metairl.tasks import catalogue, sampling

    card = catalogue.task("snail-maze")
    plans = sampling.task_set(card, "validation")[slice(0, 20)]["plan"]
    rng = stream("lanes")
    together, alone = (Maze({"plan": p}, 30, 2, rng) for p in (plans, plans[7:8]))
    assert torch.equal(together.reset()[7:8], alone.reset())
    for action in torch.randint(3, (70, 20), generator=rng):
        a, b = together.step(action), alone.step(action[7:8])
        assert torch.equal(a.obs[7:8], b.obs) and a.reward[7] == b.reward and a.done[7] == b.done
