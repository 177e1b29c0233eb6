"""Windows: open, close."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from metairl.envs.metaworld.shaping import both, distance, gaussian_tolerance, progress, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

THERE = 0.05  # along x, from the target
AT_HANDLE = 0.02


def sees_handle(scene: Scene, site: str) -> list[Tensor]:
    handle = scene.site(site)
    return [handle, handle.new_zeros(len(handle), 4)]


def open_window(now: Now, was: Was) -> Verdict:
    return _slide(now, was, was.object, tolerance)


def close_window(now: Now, was: Was) -> Verdict:
    return _slide(now, was, was["window_handle_pos_init"], gaussian_tolerance)


def _slide(now: Now, was: Was, began: Tensor, shape: Callable[..., Tensor]) -> Verdict:
    """Of a window that began at a place; the shape is of the reward for being at its handle."""
    error = (now.object[:, 0] - was.target[:, 0]).abs()
    in_place = progress(error, (began[:, 0] - was.target[:, 0]).abs(), THERE)
    away, at_first = distance(now.object, now.scene.tcp), distance(was["window_handle_pos_init"], was.tcp)
    near = progress(away, at_first, AT_HANDLE, shape)
    return Verdict(10 * both(near, in_place), error <= THERE)


SKILLS = {
    "window-close-v3": Skill(partial(sees_handle, site="handleCloseStart"), close_window),
    "window-open-v3": Skill(partial(sees_handle, site="handleOpenStart"), open_window),
}
