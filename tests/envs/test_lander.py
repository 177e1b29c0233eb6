"""A lander by hand: how it falls, is pushed and turned, what it is paid, and what ends it."""

from math import cos, hypot, radians, sin

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from metairl.core.types import Step
from metairl.envs.lander import FOOT, HULL, INERTIA, MASS, Lander

NOTHING, LEFT, MAIN, RIGHT = range(4)
STANDS = 0.5646 + 0.0900 - 0.005  # how high the centre is above the ground, on both feet
FREE = [0.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0]  # x, y, vx, vy, θ, ω, steps of rest
FLIGHT = tuple(map(int, "22120203032311222120203032311222120203032311222120"))
FLIGHT_FROM = [-0.69538, 10.73095, -1.36798, 0.27405, 0.02473, 0.05499, 0.0]
FLIGHT_TO = [-2.23249, 9.69183, -1.80987, -2.39741, 0.08543, 0.15406]


def lander(*states: list[float], gravity: float = -10.0, horizon: int = 1000) -> Lander:
    env = Lander(
        {"gravity": torch.full((len(states), 1), gravity)}, horizon, 1, torch.Generator().manual_seed(0)
    )
    env.reset()
    env.state = torch.tensor(states, dtype=torch.float64)
    return env


def stepped(action: int, *state: float) -> tuple[Lander, Step]:
    env = lander([*state])
    return env, env.step(torch.tensor([action]))


def until_over(env: Lander, action: int = NOTHING, most: int = 300) -> tuple[int, Step]:
    """Of one lane."""
    for count in range(1, most + 1):
        step = env.step(torch.tensor([action]))
        if step.done[0]:
            return count, step
    raise AssertionError("nothing ended it")


def test_a_free_fall() -> None:
    """Velocity first: after n steps v = −10 · 0.02 n, and y has lost 10 · 0.02² · n (n + 1) / 2."""
    env = lander(FREE, [*FREE[:2], 1.0, 0.0, 0.3, -0.5, 0.0])
    for _ in range(50):
        env.step(torch.tensor([NOTHING, NOTHING]))
    assert_close(env.state[:, 3], torch.full((2,), -10.0, dtype=torch.float64))
    assert_close(env.state[:, 1], torch.full((2,), 8 - 0.004 * 50 * 51 / 2, dtype=torch.float64))
    assert env.state[1].tolist() == pytest.approx([1, 2.9, 1, -10, -0.2, -0.5, 0])


def test_gravity_is_the_task() -> None:
    env = lander(FREE, gravity=-4.0)
    env.step(torch.tensor([NOTHING]))
    assert env.state[0, 3].item() == pytest.approx(-0.08)


def test_the_main_engine_pushes_upwards_as_the_lander_sees_it() -> None:
    """13 · 4 / 30 = 1.7333 Ns on 4.9589 kg: 0.34954 m/s, half of it to the right where it leans so by 30°."""
    env, _ = stepped(MAIN, 0, 8, 0, 0, radians(-30), 0, 0)
    vx, vy, turn = env.state[0, [2, 3, 5]].tolist()
    assert (vx, vy, turn) == pytest.approx((0.34954 / 2, 0.34954 * cos(radians(30)) - 0.2, 0), abs=1e-5)


def test_side_engines_push_and_turn() -> None:
    """0.6 · 0.4 = 0.24 Ns, upright 14 / 30 − 0.09 = 0.37667 m above the centre, lying 17 / 30 − 0.09 m."""
    env = lander(FREE, FREE, [0.0, 8.0, 0.0, 0.0, radians(90), 0.0, 0.0])
    env.step(torch.tensor([LEFT, RIGHT, RIGHT]))
    push, turn = 0.24 / 4.9589, 0.24 / 0.9111
    wanted = [
        [-push, -0.2, turn * 0.37667],
        [push, -0.2, -turn * 0.37667],
        [0, push - 0.2, -turn * 0.47667],
    ]
    assert_close(env.state[:, [2, 3, 5]], torch.tensor(wanted, dtype=torch.float64), atol=1e-5, rtol=0)


def test_mass_and_inertia_are_those_of_gymnasiums_shapes() -> None:
    """The hull has 5 kg a square metre and each leg 1, folded in by 0.4 rad; triangles add up."""
    corners = [(x / 30, y / 30) for x, y in HULL]
    area = moment = inertia = 0.0
    for (x, y), (u, v) in zip(corners, corners[1:] + corners[:1], strict=True):
        twice = x * v - u * y
        area, moment = area + twice / 2, moment + twice * (y + v) / 6
        inertia += twice * (x * x + x * u + u * u + y * y + y * v + v * v) / 12
    beside, below = (20 * cos(0.4) + 18 * sin(0.4)) / 30, (18 * cos(0.4) - 20 * sin(0.4)) / 30
    leg = 4 / 30 * 16 / 30
    mass = 5 * area + 2 * leg
    centre = (5 * moment - 2 * leg * below) / mass
    around = leg * ((4 / 30) ** 2 + (16 / 30) ** 2) / 12 + leg * (beside**2 + below**2)
    assert (mass, centre) == pytest.approx((MASS, 0.0900), abs=1e-4)
    assert 5 * inertia + 2 * around - mass * centre**2 == pytest.approx(INERTIA, abs=1e-4)
    foot = beside - (2 * cos(0.4) - 8 * sin(0.4)) / 30, below + (2 * sin(0.4) + 8 * cos(0.4)) / 30
    assert foot == pytest.approx(FOOT, abs=1e-4)


def test_a_flight_of_gymnasiums() -> None:
    """LunarLander-v3's own after fifty steps, legs folded in before, its engines undispersed.

    Its numbers are carried from the origin and the hull's centre to ours.
    """
    env = lander(FLIGHT_FROM)
    for action in FLIGHT:
        env.step(torch.tensor([action]))
    ours = env.state[0, :6].tolist()
    assert ours == pytest.approx(FLIGHT_TO, abs=3e-3)
    assert ours[:2] == pytest.approx(FLIGHT_TO[:2], abs=2e-4)


def seen_by_hand(state: list[float], feet: int) -> tuple[list[float], float]:
    """What is seen of a state whose feet are in the air or both on the ground, and what it is worth."""
    x, y, vx, vy, angle, turn = state
    seen = [(x + 0.09 * sin(angle)) / 10, (y - 0.09 * cos(angle) - 0.6) / (20 / 3), vx / 5, vy / 7.5]
    worth = -100 * (hypot(*seen[:2]) + hypot(*seen[2:]) + abs(angle)) + 10 * feet
    return [*seen, angle, turn / 2.5, feet / 2, feet / 2], worth


@pytest.mark.parametrize("action, burnt", [(NOTHING, 0), (LEFT, 0.03), (MAIN, 0.3), (RIGHT, 0.03)])
def test_a_step_is_paid_what_it_gained_less_the_fuel(action: int, burnt: float) -> None:
    before = [1.0, 5.0, 0.5, -1.0, 0.2, -0.1]
    env, step = stepped(action, *before, 0)
    seen, after = seen_by_hand(env.state[0, :6].tolist(), feet=0)
    assert step.next_obs[0].tolist() == pytest.approx(seen, abs=1e-6)
    assert step.reward.item() == pytest.approx(after - seen_by_hand(before, feet=0)[1] - burnt, abs=1e-4)
    assert not step.done.any()


def test_legs_are_paid_where_they_touch() -> None:
    before = [0.0, 0.66, 0.0, -0.5, 0.0, 0.0]
    env, step = stepped(NOTHING, *before, 0)
    seen, after = seen_by_hand(env.state[0, :6].tolist(), feet=2)
    assert step.next_obs[0].tolist() == pytest.approx(seen, abs=1e-6)
    assert step.reward.item() == pytest.approx(after - seen_by_hand(before, feet=0)[1], abs=1e-4)


def test_the_first_foot_is_the_right_one() -> None:
    _, step = stepped(NOTHING, 0, 0.8, 0, 0, -0.2, 0, 0)
    assert step.next_obs[0, 6:].tolist() == [1, 0]


@pytest.mark.parametrize("speed, lands", [(0.5, True), (2.0, True), (2.5, False), (6.0, False)])
def test_how_hard_it_may_land(speed: float, lands: bool) -> None:
    """As Gymnasium's does, which bears 2 m/s upright, and not 2.5."""
    env = lander([0.0, STANDS + 0.01, 0.0, -speed, 0.0, 0.0, 0.0])
    _, step = until_over(env)
    assert step.terminated[0] and step.reward.item() == (100 if lands else -100)


def test_a_leg_bears_58_newtons() -> None:
    """Both slow a fall of 2 m/s by 2 · 58 · 0.02 / 4.9589 m/s in a step; gravity adds 0.2."""
    env, _ = stepped(NOTHING, 0, STANDS - 0.05, 0, -2, 0, 0, 0)
    assert env.state[0, 3].item() == pytest.approx(-2.2 + 2 * 58 * 0.02 / 4.9589, abs=1e-3)


def test_rest_is_25_steps_of_it() -> None:
    env = lander([0.0, STANDS, 0.0, 0.0, 0.0, 0.0, 0.0])
    count, step = until_over(env)
    assert (count, step.reward.item()) == (25, 100) and step.terminated[0]
    assert step.next_obs[0, 6:].tolist() == [1, 1]


def test_rest_begins_anew_where_it_is_disturbed() -> None:
    env = lander([0.0, STANDS, 0.0, 0.0, 0.0, 0.0, 24.0])
    step = env.step(torch.tensor([LEFT]))
    assert env.state[0, 6] == 0 and not step.done.any()


def test_a_lander_that_hangs_still_in_the_air_does_not_rest() -> None:
    env = lander([0.0, 5.0, 0.0, 0.2, 0.0, 0.0, 3.0])
    env.step(torch.tensor([NOTHING]))
    assert env.state[0, 3].abs() < 1e-9 and env.state[0, 6] == 0


def test_feet_slide_with_friction() -> None:
    """0.14 of the weight: 1.4 m/s², so 0.028 m/s a step; both feet bear the weight together."""
    env, _ = stepped(NOTHING, 0, STANDS, 0.5, 0, 0, 0, 0)
    assert env.state[0, 2].item() == pytest.approx(0.5 - 0.028, abs=5e-4)


def test_it_tips_over_where_it_leans_too_far() -> None:
    """On one foot with the centre beyond it, as from 54° on: 0.8901 cos θ < 0.6546 sin θ."""
    for angle in (radians(-60), radians(60)):
        height = 0.8901 * sin(abs(angle)) + 0.6546 * cos(angle)
        _, step = until_over(lander([0.0, height, 0.0, 0.0, angle, 0.0, 0.0]))
        assert step.terminated[0] and step.reward.item() == -100
        assert step.next_obs[0, 4].abs() > abs(angle)


def test_its_head_may_not_touch_either() -> None:
    _, step = stepped(NOTHING, 0, 0.4, 0, 0, radians(180), 0, 0)
    assert step.terminated[0] and step.reward.item() == -100


@pytest.mark.parametrize("side", [-1, 1])
def test_out_of_bounds(side: int) -> None:
    env = lander([side * 9.99, 5.0, side * 0.4, 0.0, 0.0, 0.0, 0.0])
    assert not env.step(torch.tensor([NOTHING])).done.any()
    step = env.step(torch.tensor([NOTHING]))
    assert step.terminated[0] and step.reward.item() == -100
    assert abs(step.next_obs[0, 0].item()) >= 1 and abs(step.obs[0, 0].item()) == 0


def test_a_flight_is_cut_at_the_horizon_and_pays_as_any_step() -> None:
    env = lander(FREE, horizon=3)
    steps = [env.step(torch.tensor([MAIN])) for _ in range(3)]
    assert [step.done.item() for step in steps] == [False, False, True]
    assert steps[-1].truncated[0] and not steps[-1].terminated[0] and steps[-1].reward.abs() < 10


def test_episodes_begin_at_the_top_with_a_push() -> None:
    env = Lander({"gravity": torch.full((2000, 1), -10.0)}, 1000, 1, torch.Generator().manual_seed(0))
    seen = env.reset()
    assert (seen[:, 0] == 0).all() and seen[:, 1].sub(1.41).abs().max() < 1e-5
    assert (seen[:, 4] == 0).all() and (seen[:, 6:] == 0).all()
    assert_close(spread(seen[:, 2]), torch.tensor([-4.033 / 5, 4.033 / 5]), atol=5e-3, rtol=0)
    assert_close(spread(seen[:, 3]), torch.tensor([-4.033 / 7.5, 4.033 / 7.5]), atol=5e-3, rtol=0)
    assert_close(seen[:, 5] * 2.5, -0.112 * seen[:, 2] * 5)


def spread(x: Tensor) -> Tensor:
    return torch.stack([x.min(), x.max()])
