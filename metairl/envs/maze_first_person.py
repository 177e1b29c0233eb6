"""A maze in first person: 40 × 30 pixels; forward, turn left, turn right (Duan et al. 2016, section 3.3).

    r = 1 at the goal, −0.01 a step, −0.001 more where a wall was run into        Mishra et al. 2018

A column of the picture is one ray, walked from grid line to grid line until it meets a wall (Amanatides & Woo
1987). A wall of height 1 at distance d along the view fills f / d rows, f the focal length in pixels; walls
in the two directions differ in shade and darken with distance. The goal is a red pillar.

Maze, start, first heading and goal stay the same in a trial.
"""

from copy import copy
from dataclasses import replace
from math import pi, tan

import torch
from torch import Generator, Tensor

from metairl.core.types import Spec, Step, Tasks
from metairl.tasks.maze_motion import direction, first_pose, floor_of, walk
from metairl.tasks.maze_text import GOAL
from metairl.tasks.mazes import find

WIDE, TALL = 40, 30  # pixels
VIEW = pi / 2.4  # angle from the left to the right edge
FOCAL = WIDE / 2 / tan(VIEW / 2)  # in pixels
TOUCH = 0.9  # distance from the goal's middle at which it is found
PILLAR, PILLAR_TALL = 0.3, 0.7  # radius and height of the goal
STEP_COST, BUMP_COST = 0.01, 0.001
CEILING, FLOOR, RED, STONE = (
    torch.tensor(colour, dtype=torch.uint8)[:, None, None]  # [3, 1, 1]
    for colour in ((60, 70, 90), (90, 80, 70), (220, 40, 40), (200, 190, 170))
)


class Maze:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        plans, self.rng = tasks["plan"], rng  # [B, side, side]
        self.lanes, side, _ = plans.shape
        self.task = plans.flatten(1).float()
        picture = (3, TALL, WIDE)
        self.spec = Spec(TALL * WIDE * 3, 3, True, horizon, episodes, params=side**2, picture=picture)
        self.floor = floor_of(plans)
        self.goal = find(plans, GOAL) + 0.5
        self.start, self.heading = first_pose(plans, self.floor)
        self.here, self.facing = self.start.clone(), self.heading.clone()
        self.age = torch.zeros(self.lanes, dtype=torch.int64)
        self.opening = self._look()  # of every episode

    @property
    def place(self) -> Tensor:
        """Rows and columns of where the lanes are, in squares, [B, 2]."""
        return self.here.clone()

    def select(self, rows: Tensor) -> "Maze":
        """Some of the lanes; where they are is an index into all plans, which stay."""
        some = copy(self)
        some.lanes = int(rows.sum())
        some.floor = replace(self.floor, first=self.floor.first[rows])
        for name in ("task", "start", "heading", "goal", "here", "facing", "age", "opening"):
            setattr(some, name, getattr(self, name)[rows])
        return some

    def reset(self) -> Tensor:
        self.here, self.facing = self.start.clone(), self.heading.clone()
        self.age = torch.zeros_like(self.age)
        return self.opening

    def reset_lanes(self, lanes: Tensor, tasks: Tasks) -> Tensor:
        new = Maze(tasks, self.spec.horizon, self.spec.episodes, self.rng)
        plans = self.floor.walls.view(self.lanes, -1)
        walls = plans.index_put((lanes,), new.floor.walls.view(new.lanes, -1)).flatten()
        self.floor = replace(self.floor, walls=walls)
        for name in ("task", "start", "heading", "goal", "here", "facing", "age", "opening"):
            setattr(self, name, getattr(self, name).index_put((lanes,), getattr(new, name)))
        return new.opening

    def step(self, action: Tensor) -> Step:
        self.here, self.facing, bump = walk(self.floor, self.here, self.facing, action)
        self.age += 1
        found = (self.here - self.goal).norm(dim=1) < TOUCH
        late = (self.age >= self.spec.horizon) & ~found
        reward = found.float() - STEP_COST - BUMP_COST * bump
        final = self._look()
        over = found | late
        self.here = self.start.where(over.unsqueeze(1), self.here)
        self.facing = self.heading.where(over, self.facing)
        self.age = self.age.masked_fill(over, 0)
        obs = final
        if over.any():
            obs = final.clone()
            obs[over] = self.opening[over]
        return Step(obs, reward, found, late, found, final)

    def _look(self) -> Tensor:
        """The picture of every lane, flat, 0 to 255, [B, 3 · 30 · 40]."""
        column = torch.arange(WIDE) + 0.5 - WIDE / 2
        angle = torch.atan(column / FOCAL)  # to the right is positive, as for turns
        ray = direction(self.facing.unsqueeze(1) + angle)  # [B, 40, 2]
        far, flat = self._walk(ray)
        straight = angle.cos()  # a ray's length along the view
        light = torch.where(flat, 0.75, 1.0) / (1 + 0.15 * far)  # [B, 40]
        shade = (STONE * light[:, None, None]).to(torch.uint8)  # [B, 3, 1, 40]
        row = (torch.arange(TALL) + 0.5 - TALL / 2).unsqueeze(1)  # [30, 1], down is positive
        in_wall = row.abs() < (FOCAL / (2 * far * straight))[:, None, None]  # [B, 1, 30, 40]
        picture = _paint(torch.where(row < 0, CEILING, FLOOR), shade, in_wall)  # [B, 3, 30, 40]
        pillar = self._pillar(ray)
        seen = (pillar < far).any(1).nonzero().squeeze(1)  # lanes that have it in view
        half = (FOCAL / (2 * pillar * straight))[seen, None, None]
        in_pillar = (row < half) & (row > half * (1 - 2 * PILLAR_TALL)) & (pillar < far)[seen, None, None]
        picture[seen] = _paint(picture[seen], RED, in_pillar)
        return picture.flatten(1)

    def _walk(self, ray: Tensor) -> tuple[Tensor, Tensor]:
        """How far every ray goes to a wall, and whether that wall runs from left to right, [B, 40]."""
        ray = ray.flatten(0, 1)  # [B · 40, 2]
        square = self.here.floor().repeat_interleave(WIDE, dim=0)
        inside = self.here.repeat_interleave(WIDE, dim=0) - square
        ahead = ray > 0
        apart = 1 / ray.abs().clamp(min=1e-6)  # between two grid lines of each direction
        reach = torch.where(ahead, 1 - inside, inside) * apart  # to the next of them
        stride = (ahead.long() * 2 - 1) * torch.tensor([self.floor.side, 1])
        index = self.floor.square(self.here).repeat_interleave(WIDE)
        far, flat = torch.zeros(len(ray)), torch.zeros(len(ray), dtype=torch.bool)
        active = torch.arange(len(ray))
        while len(active):
            crosses = reach.argmin(1)
            far[active] = reach.gather(1, crosses.unsqueeze(1)).squeeze(1)
            flat[active] = crosses == 0
            step = crosses.unsqueeze(1) == torch.arange(2)
            index = index + (stride * step).sum(1)
            reach = reach + apart * step
            on = ~self.floor.walls[index]
            active, index, reach, apart, stride = (x[on] for x in (active, index, reach, apart, stride))
        return far.view(-1, WIDE), flat.view(-1, WIDE)

    def _pillar(self, ray: Tensor) -> Tensor:
        """How far every ray goes before it meets the goal's pillar; infinite where it does not, [B, 40]."""
        towards = (self.goal - self.here).unsqueeze(1)  # [B, 1, 2]
        along = (towards * ray).sum(-1)
        across = towards.square().sum(-1) - along.square()
        depth = (PILLAR**2 - across).clamp(min=0).sqrt()
        meets = (across < PILLAR**2) & (along > 0)
        return torch.where(meets, (along - depth).clamp(min=0.05), float("inf"))


def _paint(picture: Tensor, colour: Tensor, where: Tensor) -> Tensor:
    """The colour where it belongs. Bytes wrap, so p + 1 · (c − p) is c; `where` takes seven times as long."""
    return picture + (colour - picture) * where
