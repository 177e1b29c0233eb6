"""A segment of the point environment as an animated SVG: its path, the moving point and the goal."""

from torch import Tensor

from metairl.envs.point_maze import EDGE, WALL

SECONDS = 0.12  # of the animation for each step
REACH = 1.6  # the picture shows −REACH … REACH
COLOURS = {"path": "#8aa0c0", "point": "#1d4ed8", "goal": "#dc2626", "wall": "#404040"}


def svg(obs: Tensor, goal: Tensor, walled: bool) -> str:
    """Of observed positions, [L, 2]."""
    places = [f"{x:.4f},{-y:.4f}" for x, y in obs[:, :2].tolist()]
    path = "M" + " L".join(places)
    x, y = goal[:2].tolist()
    wall = f'<path d="M{EDGE},{-WALL} H1" stroke="{COLOURS["wall"]}" stroke-width="0.03"/>' if walled else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-REACH} {-REACH} {2 * REACH} {2 * REACH}">'
        f'<rect x="{-REACH}" y="{-REACH}" width="{2 * REACH}" height="{2 * REACH}" fill="#fff"/>{wall}'
        f'<circle cx="{x:.4f}" cy="{-y:.4f}" r="0.2" fill="none" stroke="{COLOURS["goal"]}" '
        'stroke-width="0.02"/>'
        f'<path d="{path}" fill="none" stroke="{COLOURS["path"]}" stroke-width="0.02"/>'
        f'<circle r="0.05" fill="{COLOURS["point"]}"><animateMotion path="{path}" '
        f'dur="{SECONDS * len(places):.2f}s" repeatCount="indefinite"/></circle></svg>'
    )
