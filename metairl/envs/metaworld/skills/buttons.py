"""Buttons: from the front, from the top, behind a wall, of a coffee machine.

    near     the fingertips are at the button
    pressed  the button is at the end of its way
    reward = w both(gripper, near) + (10 − w) pressed where the fingertips touch the button

Behind a wall the reward has two parts: closed on the way over the wall, open at the button.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from metairl.envs.metaworld.shaping import both, distance, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

LENGTH = 0.193  # of a button, from its body to what is touched of it
END = 0.005  # a button no farther than this from its end is pressed
FAR = 0.07  # fingertips farther than this from the button have the wall ahead


@dataclass(frozen=True)
class Button:
    axis: int  # along which it goes
    near: float  # fingertips no farther than this are at it
    done: float  # success, this far from its end
    way: str = "_obj_to_target_init"  # how far it goes, by the package's name


@dataclass(frozen=True)
class Press:
    touch: float  # fingertips no farther than this touch the button
    weight: float  # w, points for being near
    opened: bool  # whether the gripper should be


FRONT, TOP = Button(1, near=0.05, done=0.02), Button(2, near=0.01, done=0.024)
WALLED = Button(1, near=0.01, done=0.03)
MACHINE = Button(1, near=0.05, done=0.02, way="max_dist")
AHEAD, DOWN = Press(touch=0.05, weight=2.0, opened=True), Press(touch=0.03, weight=5.0, opened=False)


def sees_button(scene: Scene, tip: tuple[float, float, float]) -> list[Tensor]:
    button = scene.body("button")
    return [button + button.new_tensor(tip), scene.body_quat("button")]


def sees_machine(scene: Scene) -> list[Tensor]:
    button = scene.site("buttonStart")
    return [button, button.new_tensor([1.0, 0.0, 0.0, 0.0]).expand(len(button), 4)]


def progress(now: Now, was: Was, button: Button) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fingertips to button, button to its end, in metres; near; pressed."""
    apart = distance(now.object, now.scene.tcp)
    left = (was.target[:, button.axis] - now.object[:, button.axis]).abs()
    # The margin moves: the package measures from where the button is now, not from where it began.
    near = tolerance(apart, 0.0, button.near, distance(now.object, was.tcp))
    return apart, left, near, tolerance(left, 0.0, END, was[button.way])


def press(now: Now, was: Was, button: Button, how: Press) -> Verdict:
    apart, left, near, pressed = progress(now, was, button)
    reward = how.weight * both(now.opened if how.opened else 1 - now.opened, near)
    reward = torch.where(apart <= how.touch, reward + (10 - how.weight) * pressed, reward)
    return Verdict(reward, left <= button.done)


def press_behind_wall(now: Now, was: Was) -> Verdict:
    apart, left, near, pressed = progress(now, was, WALLED)
    before_wall = 2 * both((1 - now.opened) / 2, near)
    behind_wall = 2 + 2 * (1 + now.opened) + 4 * pressed**2
    return Verdict(torch.where(apart > FAR, before_wall, behind_wall), left <= WALLED.done)


sees_front = partial(sees_button, tip=(0.0, -LENGTH, 0.0))
sees_top = partial(sees_button, tip=(0.0, 0.0, LENGTH))
press_top = partial(press, button=TOP, how=DOWN)

SKILLS = {
    "button-press-topdown-v3": Skill(sees_top, press_top),
    "button-press-topdown-wall-v3": Skill(sees_top, press_top),
    "button-press-v3": Skill(sees_front, partial(press, button=FRONT, how=AHEAD)),
    "button-press-wall-v3": Skill(sees_front, press_behind_wall),
    "coffee-button-v3": Skill(sees_machine, partial(press, button=MACHINE, how=AHEAD)),
}
