"""Goal boxes of all Meta-World skills (Yu et al. 2019, arXiv:1910.10897), as in the metaworld package.

A test compares them with the package.
"""

from dataclasses import dataclass

from metairl.core.errors import nearest

GOAL = 6  # size of a goal vector


@dataclass(frozen=True)
class Box:
    """Bounds of a goal vector: an object or fixture position, then a target position where there is one."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    apart: float = 0.0  # minimum horizontal distance between the two positions


BOXES = {
    "assembly-v3": Box((0, 0.6, 0.02, -0.1, 0.75, 0.1), (0, 0.6, 0.02, 0.1, 0.85, 0.1), apart=0.1),
    "basketball-v3": Box(
        (-0.1, 0.6, 0.0299, -0.1, 0.85, 0),
        (0.1, 0.7, 0.0301, 0.1, 0.9000001, 0),
        apart=0.15,
    ),
    "bin-picking-v3": Box(
        (-0.21, 0.65, 0.02, 0.1199, 0.699, -0.001),
        (-0.03, 0.75, 0.02, 0.1201, 0.701, 0.001),
    ),
    "box-close-v3": Box(
        (-0.05, 0.5, 0.02, -0.1, 0.7, 0.133),
        (0.05, 0.55, 0.02, 0.1, 0.8, 0.133),
        apart=0.25,
    ),
    "button-press-topdown-v3": Box((-0.1, 0.8, 0.115), (0.1, 0.9, 0.115)),
    "button-press-topdown-wall-v3": Box((-0.1, 0.8, 0.115), (0.1, 0.9, 0.115)),
    "button-press-v3": Box((-0.1, 0.85, 0.115), (0.1, 0.9, 0.115)),
    "button-press-wall-v3": Box((-0.05, 0.85, 0.1149), (0.05, 0.9, 0.1151)),
    "coffee-button-v3": Box((-0.1, 0.8, -0.001), (0.1, 0.9, 0.001)),
    "coffee-pull-v3": Box(
        (-0.05, 0.7, -0.001, -0.1, 0.55, -0.001),
        (0.05, 0.75, 0.001, 0.1, 0.65, 0.001),
        apart=0.15,
    ),
    "coffee-push-v3": Box(
        (-0.1, 0.55, -0.001, -0.05, 0.7, -0.001),
        (0.1, 0.65, 0.001, 0.05, 0.75, 0.001),
        apart=0.15,
    ),
    "dial-turn-v3": Box((-0.1, 0.7, 0), (0.1, 0.8, 0)),
    "disassemble-v3": Box(
        (0, 0.6, 0.025, -0.1, 0.6, 0.1699),
        (0.1, 0.75, 0.02501, 0.1, 0.75, 0.1701),
        apart=0.1,
    ),
    "door-close-v3": Box((0, 0.85, 0.15), (0.1, 0.95, 0.15)),
    "door-lock-v3": Box((-0.1, 0.8, 0.15), (0.1, 0.85, 0.15)),
    "door-open-v3": Box((0, 0.85, 0.15), (0.1, 0.95, 0.15)),
    "door-unlock-v3": Box((-0.1, 0.8, 0.15), (0.1, 0.85, 0.15)),
    "drawer-close-v3": Box((-0.1, 0.9, 0), (0.1, 0.9, 0)),
    "drawer-open-v3": Box((-0.1, 0.9, 0), (0.1, 0.9, 0)),
    "faucet-close-v3": Box((-0.1, 0.8, 0), (0.1, 0.85, 0)),
    "faucet-open-v3": Box((-0.05, 0.8, 0), (0.05, 0.85, 0)),
    "hammer-v3": Box((-0.1, 0.4, 0), (0.1, 0.5, 0)),
    "hand-insert-v3": Box(
        (-0.1, 0.6, 0.05, -0.04, 0.8, -0.0201),
        (0.1, 0.7, 0.05, 0.04, 0.88, -0.0199),
        apart=0.15,
    ),
    "handle-press-side-v3": Box((-0.35, 0.65, -0.001), (-0.25, 0.75, 0.001)),
    "handle-press-v3": Box((-0.1, 0.8, -0.001), (0.1, 0.9, 0.001)),
    "handle-pull-side-v3": Box((-0.35, 0.65, 0), (-0.25, 0.75, 0)),
    "handle-pull-v3": Box((-0.1, 0.8, -0.001), (0.1, 0.9, 0.001)),
    "lever-pull-v3": Box((-0.1, 0.7, 0), (0.1, 0.8, 0)),
    "peg-insert-side-v3": Box(
        (0, 0.5, 0.02, -0.35, 0.4, -0.001),
        (0.2, 0.7, 0.02, -0.25, 0.7, 0.001),
        apart=0.1,
    ),
    "peg-unplug-side-v3": Box((-0.25, 0.6, -0.001), (-0.15, 0.8, 0.001)),
    "pick-out-of-hole-v3": Box((0, 0.75, 0.02, -0.1, 0.5, 0.15), (0, 0.75, 0.02, 0.1, 0.6, 0.3), apart=0.15),
    "pick-place-v3": Box((-0.1, 0.6, 0.02, -0.1, 0.8, 0.05), (0.1, 0.7, 0.02, 0.1, 0.9, 0.3), apart=0.15),
    "pick-place-wall-v3": Box(
        (-0.05, 0.6, 0.015, -0.05, 0.85, 0.05),
        (0.05, 0.65, 0.015, 0.05, 0.9, 0.3),
        apart=0.15,
    ),
    "plate-slide-back-side-v3": Box((-0.25, 0.6, 0, -0.05, 0.6, 0.015), (-0.25, 0.6, 0, 0.15, 0.6, 0.015)),
    "plate-slide-back-v3": Box((0, 0.85, 0, -0.1, 0.6, 0.015), (0, 0.85, 0, 0.1, 0.6, 0.015)),
    "plate-slide-side-v3": Box((0, 0.6, 0, -0.3, 0.54, 0), (0, 0.6, 0, -0.25, 0.66, 0)),
    "plate-slide-v3": Box((0, 0.6, 0, -0.1, 0.85, 0), (0, 0.6, 0, 0.1, 0.9, 0)),
    "push-back-v3": Box(
        (-0.1, 0.8, 0.02, -0.1, 0.6, 0.0199),
        (0.1, 0.85, 0.02, 0.1, 0.7, 0.0201),
        apart=0.15,
    ),
    "push-v3": Box((-0.1, 0.6, 0.02, -0.1, 0.8, 0.01), (0.1, 0.7, 0.02, 0.1, 0.9, 0.02), apart=0.15),
    "push-wall-v3": Box(
        (-0.05, 0.6, 0.015, -0.05, 0.85, 0.01),
        (0.05, 0.65, 0.015, 0.05, 0.9, 0.02),
        apart=0.15,
    ),
    "reach-v3": Box((-0.1, 0.6, 0.02, -0.1, 0.8, 0.05), (0.1, 0.7, 0.02, 0.1, 0.9, 0.3), apart=0.15),
    "reach-wall-v3": Box(
        (-0.05, 0.6, 0.015, -0.05, 0.85, 0.05),
        (0.05, 0.65, 0.015, 0.05, 0.9, 0.3),
        apart=0.15,
    ),
    "shelf-place-v3": Box(
        (-0.1, 0.5, 0.019, -0.1, 0.8, 0.299),
        (0.1, 0.6, 0.021, 0.1, 0.9, 0.301),
        apart=0.1,
    ),
    "soccer-v3": Box((-0.1, 0.6, 0.03, -0.1, 0.8, 0), (0.1, 0.7, 0.03, 0.1, 0.9, 0), apart=0.15),
    "stick-pull-v3": Box(
        (-0.1, 0.55, 0, 0.35, 0.45, 0.0199),
        (0, 0.65, 0.001, 0.45, 0.55, 0.0201),
        apart=0.1,
    ),
    "stick-push-v3": Box(
        (-0.08, 0.58, 0, 0.399, 0.55, 0.1319),
        (-0.03, 0.62, 0.001, 0.401, 0.6, 0.1321),
        apart=0.1,
    ),
    "sweep-into-v3": Box(
        (-0.1, 0.6, 0.02, -0.001, 0.8399, 0.0199),
        (0.1, 0.7, 0.02, 0.001, 0.8401, 0.0201),
        apart=0.15,
    ),
    "sweep-v3": Box((-0.1, 0.6, 0.02), (0.1, 0.7, 0.02)),
    "window-close-v3": Box((0, 0.75, 0.2), (0, 0.9, 0.2)),
    "window-open-v3": Box((-0.1, 0.7, 0.16), (0.1, 0.9, 0.16)),
}
NAMES = tuple(sorted(BOXES))  # a task's skill is an index into this


def unknown_skill(name: str) -> str:
    """The error message for a misspelt skill."""
    return f"unknown skill '{name}'; {nearest(name, NAMES)}"
