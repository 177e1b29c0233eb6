"""Handles: pressed and pulled, from the front and from the side."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp
from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

DOWN = 0.02  # a handle this far from its target is pressed
UP = 0.05  # and this far from it is pulled
RADIUS = 0.02  # of a handle that is pressed


@dataclass(frozen=True)
class Pull:
    grip: Grip
    axes: list[int]  # in which the handle's way is measured
    rising: int  # axis compared with the height at the beginning
    done: float  # success, this far from the target


# From the front, the package compares y with the height of the handle's base, so it is always risen.
FRONT = Pull(Grip(radius=0.022, pad=0.05, xz=0.01), axes=[2], rising=1, done=UP)
SIDE = Pull(Grip(radius=0.032, pad=0.06, xz=0.01), axes=[0, 1, 2], rising=2, done=0.08)


def sees_handle(scene: Scene, site: str) -> list[Tensor]:
    handle = scene.site(site)
    return [handle, handle.new_zeros(len(handle), 4)]


def press(now: Now, was: Was) -> Verdict:
    handle, began = now.object, was["_handle_init_pos"]
    away, away_from_start = ((place - was.target)[:, 2].abs() for place in (handle, began))
    in_place = tolerance(away, 0.0, DOWN, (away_from_start - DOWN).abs())
    margin = (distance(began, was.tcp) - RADIUS).abs()
    near = tolerance(distance(handle, now.scene.tcp), 0.0, RADIUS, margin)
    pressed = away <= DOWN
    return Verdict(torch.where(pressed, 10.0, 10 * both(near, in_place)), pressed)


def pull(now: Now, was: Was, how: Pull) -> Verdict:
    handle = now.object
    away, away_from_start = (norm((place - was.target)[:, how.axes]) for place in (handle, was.object))
    in_place = tolerance(away, 0.0, UP, away_from_start)
    reward = both(grasp(now, was, how.grip, handle), in_place)
    risen = handle[:, how.rising] - 0.01 > was.object[:, 2]
    held = (distance(handle, now.scene.tcp) < 0.035) & (now.opened > 0) & risen
    reward = torch.where(held, reward + 1 + 5 * in_place, reward)
    return Verdict(torch.where(away < UP, 10.0, reward), away <= how.done)


sees_start = partial(sees_handle, site="handleStart")

SKILLS = {
    "handle-press-side-v3": Skill(sees_start, press),
    "handle-press-v3": Skill(sees_start, press),
    "handle-pull-side-v3": Skill(partial(sees_handle, site="handleCenter"), partial(pull, how=SIDE)),
    "handle-pull-v3": Skill(partial(sees_handle, site="handleRight"), partial(pull, how=FRONT)),
}
