"""What a task asks of a body, as shapes in the scene beside it. Green is what is wanted, orange what is done.

An aim without a shape here is filmed all the same: its parameter is in the text of the pane.
"""

from collections.abc import Callable, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

Place = NDArray[np.float64]  # [3]
WANTED, DONE = (40, 200, 80), (255, 150, 40)
LENGTH = 1.8  # of an arrow that says a direction
METRES = 0.6  # of an arrow for every metre a second
WIDTH = 0.07
GOAL = 0.2  # its radius


def forward(scene: mujoco.MjvScene, ground: Place, wanted: Sequence[float], speed: float) -> None:
    _arrow(scene, ground, [LENGTH * wanted[0], 0.0], WANTED)


def velocity(scene: mujoco.MjvScene, ground: Place, wanted: Sequence[float], speed: float) -> None:
    """Two arrows, one before the other: the wanted speed and the body's own."""
    _arrow(scene, ground, [METRES * wanted[0], 0.0], WANTED)
    _arrow(scene, ground - [0.0, 5 * WIDTH, 0.0], [METRES * speed, 0.0], DONE)


def direction(scene: mujoco.MjvScene, ground: Place, wanted: Sequence[float], speed: float) -> None:
    _arrow(scene, ground, [LENGTH * np.cos(wanted[0]), LENGTH * np.sin(wanted[0])], WANTED)


def goal(scene: mujoco.MjvScene, ground: Place, wanted: Sequence[float], speed: float) -> None:
    """A ball on the ground, at a place that does not move with the body."""
    ball(scene, np.array([wanted[0], wanted[1], GOAL]), GOAL)


def ball(scene: mujoco.MjvScene, at: Place, radius: float) -> None:
    shape, size = _shape(scene, WANTED), np.array([radius, 0.0, 0.0])
    mujoco.mjv_initGeom(shape, mujoco.mjtGeom.mjGEOM_SPHERE, size, at, np.eye(3).flatten(), shape.rgba)


TARGETS: dict[str, Callable[[mujoco.MjvScene, Place, Sequence[float], float], None]] = {
    "forward": forward,
    "velocity": velocity,
    "direction": direction,
    "goal": goal,
}


def _arrow(
    scene: mujoco.MjvScene, start: Place, along: Sequence[float], colour: tuple[int, int, int]
) -> None:
    """On the ground. Where it would have no length it is a dot. MuJoCo draws half of an arrow's length."""
    way = np.array([*along, 0.0])
    end = start + 2 * (way if np.linalg.norm(way) > WIDTH else np.array([WIDTH, 0.0, 0.0]))
    mujoco.mjv_connector(_shape(scene, colour), mujoco.mjtGeom.mjGEOM_ARROW, WIDTH, start, end)


def _shape(scene: mujoco.MjvScene, colour: tuple[int, int, int]) -> mujoco.MjvGeom:
    """One more shape, which shines a little so that shade does not change its colour."""
    shape = scene.geoms[scene.ngeom]
    rgba = np.array([*colour, 255], dtype=np.float32) / 255
    nowhere = mujoco.mjtGeom.mjGEOM_NONE
    mujoco.mjv_initGeom(shape, nowhere, np.zeros(3), np.zeros(3), np.eye(3).flatten(), rgba)
    shape.emission = 0.4
    scene.ngeom += 1
    return shape
