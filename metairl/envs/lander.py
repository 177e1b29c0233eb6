"""A lander that is to come to rest between its flags, after Gymnasium's LunarLander-v3, in batches.

One rigid body of mass m and inertia I over flat ground at height 0: its centre p = (x, y) has velocity v,
its angle θ to the left has rate ω. Metres, seconds; a step is h = 0.02.

    axes         s = (cos θ, sin θ) to its right, u = (−sin θ, cos θ) up
    engines      main    v ← v + 1.733 u / m
                 side    v ← v ± 0.24 s / m,  ω ← ω ∓ 0.24 (0.467 cos² θ + 0.567 sin² θ − b) / I, left − +
    gravity      v ← v + h (0, g)
    ground       on each foot at p + a whose depth d = −(y + a_y) is above 0, some passes over both:
                 w = (v_x − ω a_y, v_y + ω a_x), how it moves, anew before F
                 N ← N + (min(0.2 (d − 0.005) / h, 0.27) − w_y) / (1 / m + a_x² / I), kept in [0, 58 h]
                 F ← F − w_x / (1 / m + a_y² / I), kept in ±0.14 N
                 v ← v + (ΔF, ΔN) / m,  ω ← ω + (a_x ΔN − a_y ΔF) / I
    move         p ← p + h v,  θ ← θ + h ω
    rest         n ← n + 1 where a foot touches, |v| < 0.01 and |ω| < 2°, else 0

So a leg gives way under more than 58 N, stands up again at 0.27 m/s and does not spring. There, legs are
bodies that a motor of 40 Nm folds in at 0.3 rad/s; 58 N bears an upright landing at 2 m/s and not at 2.5, as
theirs do. Landings that lean are harder here: at 0.2 rad theirs bear 1 m/s, ours 0.2. Where it is seen is the
hull's own origin o = p − b u, how fast it is p's; n is not seen:

    seen         o_x / 10, (o_y − 0.6) / 6.67, v_x / 5, v_y / 7.5, θ, ω / 2.5, whether each foot touches
    worth        Φ = −100 (|seen position| + |seen velocity| + |θ|) + 10 for each foot that touches
    r            Φ′ − Φ − 0.3 for the main engine, − 0.03 for a side one; at an end −100 for a crash (the hull
                 touches the ground, or |o_x| ≥ 10), +100 for 25 steps of rest

The first foot is the right one, as there. Episodes begin 10 m above the ground with a push of up to 4 m/s
each way, which turns the lander too, as what Gymnasium does with legs in the first step does. m, I and b are
those of its polygons and densities with legs as they are in flight.

Departures: flat ground everywhere, rigid legs, no dispersion of the engines, no Box2D, and not the idle step
that Gymnasium begins with. In free flight, engines undispersed there too, positions are within 1 cm of
theirs after fifty steps of the same actions while legs still fold in, and within 0.2 mm once they have. A
task is gravity.
"""

from math import pi

import torch
from torch import Tensor

from metairl.envs.classic import Classic

SECONDS = 0.02  # h
MASS, INERTIA, BELOW = 4.9589, 0.9111, 0.0900  # m, I, b
MAIN, SIDE = 13 * 4 / 30, 0.6 * 12 / 30  # a step, of thrust
HIGH, WIDE = 14 / 30, 17 / 30  # where side engines sit above the origin: upright, lying
FOOT = 0.8901, 0.5646  # beside the origin and below it
HULL = [(-14, 17), (-17, 0), (-17, -10), (17, -10), (17, 0), (14, 17)]  # around the origin, in thirtieths
TOP, FLOAT, EDGE = 10.0, 0.6, 10.0  # where episodes begin, what is seen as height 0, what is out
SCALES = 10, 20 / 3, 5, 7.5, 1, 2.5  # of what is seen
YIELD, RISE, GRIP = 58 * SECONDS, 0.27, 0.14  # of a leg
SUNK, EAGER, PASSES = 0.005, 0.2, 6  # depth that is left alone, share of the rest that a step makes good
SLOW, STILL, QUIET = 0.01, 2 * pi / 180, 25  # what counts as rest, and for how many steps
PUSH, TWIST = 20 / MASS, -0.112  # of the beginning: up to so fast each way, turning so much for each m/s


class Lander(Classic):
    parameter, actions, width, numbers = "gravity", 4, 8, 7

    def _begin(self, count: int) -> Tensor:
        push = PUSH * (2 * torch.rand(count, 2, generator=self.rng, dtype=torch.float64) - 1)
        state = torch.zeros(count, self.numbers, dtype=torch.float64)
        state[:, 1], state[:, 2:4], state[:, 5] = TOP + BELOW, push, TWIST * push[:, 0]
        return state

    def moved(self, state: Tensor, action: Tensor) -> Tensor:
        place, speed, turn = state[:, :2], state[:, 2:4].clone(), state[:, 5].clone()
        side, up = axes(state)
        main, left = (action == 2).double(), (action == 1).double() - (action == 3).double()
        arm = HIGH * side[:, 0].square() + WIDE * side[:, 1].square() - BELOW
        speed += (MAIN * main[:, None] * up - SIDE * left[:, None] * side) / MASS
        turn += SIDE * left * arm / INERTIA
        speed[:, 1] += SECONDS * self.task[:, 0]
        touching = depths(state).gt(0).any(1)
        if touching.any():
            speed[touching], turn[touching] = grounded(state[touching], speed[touching], turn[touching])
        angle = state[:, 4] + SECONDS * turn
        after = torch.column_stack([place + SECONDS * speed, speed, angle, turn, state[:, 6]])
        at_rest = depths(after).gt(0).any(1) & (speed.norm(dim=1) < SLOW) & (turn.abs() < STILL)
        after[:, 6] = (state[:, 6] + 1).where(at_rest, 0.0)
        return after

    def seen(self, state: Tensor) -> Tensor:
        origin = state[:, :2] - BELOW * axes(state)[1]
        height = origin[:, 1] - FLOAT
        moving = torch.column_stack([origin[:, 0], height, state[:, 2:6]]) / state.new_tensor(SCALES)
        return torch.cat([moving, depths(state) > 0], dim=1).float()

    def ended(self, state: Tensor) -> Tensor:
        origin = state[:, :2] - BELOW * axes(state)[1]
        lowest = origin[:, 1] + corners(state).amin(1)
        return (lowest <= 0) | (origin[:, 0].abs() >= EDGE) | rested(state)

    def reward(self, before: Tensor, action: Tensor, after: Tensor, ended: Tensor) -> Tensor:
        burnt = 0.3 * (action == 2) + 0.03 * ((action == 1) | (action == 3))
        gained = worth(self.seen(after)) - worth(self.seen(before)) - burnt
        end = (rested(after).float() * 2 - 1) * 100
        return end.where(ended, gained)


def axes(state: Tensor) -> tuple[Tensor, Tensor]:
    """To the lander's own right, and up."""
    sine, cosine = state[:, 4].sin(), state[:, 4].cos()
    return torch.stack([cosine, sine], dim=1), torch.stack([-sine, cosine], dim=1)


def feet(state: Tensor) -> Tensor:
    """a of both feet, [B, 2 feet, 2]."""
    side, up = axes(state)
    below = -(FOOT[1] + BELOW) * up
    return torch.stack([below + FOOT[0] * side, below - FOOT[0] * side], dim=1)


def depths(state: Tensor) -> Tensor:
    """d of both feet, [B, 2 feet]."""
    return -(state[:, 1:2] + feet(state)[..., 1])


def corners(state: Tensor) -> Tensor:
    """How high the hull's corners are above the origin, [B, 6]."""
    side, up = axes(state)
    across, along = state.new_tensor(HULL).div(30).unbind(1)
    return side[:, 1:] * across + up[:, 1:] * along


def grounded(state: Tensor, speed: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """v and ω after what the ground does to both feet in a step."""
    x, y = feet(state).unbind(2)
    depth = depths(state)
    lift = (EAGER * (depth - SUNK) / SECONDS).clamp(max=RISE)
    most = YIELD * (depth > 0)
    upright, sideways = 1 / (1 / MASS + x.square() / INERTIA), 1 / (1 / MASS + y.square() / INERTIA)
    borne, held = torch.zeros_like(depth), torch.zeros_like(depth)  # N, F
    vx, vy = speed.unbind(1)
    for foot in [0, 1] * PASSES:
        at = slice(None), foot
        wanted = borne[at] + upright[at] * (lift[at] - vy - turn * x[at])
        up = wanted.clamp(min=0).minimum(most[at]) - borne[at]
        borne[at] += up
        grip = GRIP * borne[at]
        wanted = held[at] - sideways[at] * (vx - (turn + x[at] * up / INERTIA) * y[at])
        along = wanted.clamp(-grip, grip) - held[at]
        held[at] += along
        vx, vy = vx + along / MASS, vy + up / MASS
        turn = turn + (x[at] * up - y[at] * along) / INERTIA
    return torch.stack([vx, vy], dim=1), turn


def rested(state: Tensor) -> Tensor:
    return state[:, 6] >= QUIET


def worth(seen: Tensor) -> Tensor:
    """Φ."""
    away, fast, tilted = seen[:, :2].norm(dim=1), seen[:, 2:4].norm(dim=1), seen[:, 4].abs()
    value: Tensor = -100 * (away + fast + tilted) + 10 * seen[:, 6:].sum(1)
    return value
