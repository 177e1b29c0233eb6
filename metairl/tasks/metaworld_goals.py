"""Goals of Meta-World's skills: where an episode's objects, fixtures and target stand.

A goal is six numbers: a place of an object or a fixture, then one of the target; a skill with one place
leaves the rest zero. It is drawn evenly from the skill's box, and again where the two places are too near.
Boxes are the package's own (a test compares them), so no simulation is needed to draw.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor

from metairl.tasks.metaworld_boxes import BOXES, GOAL, NAMES, Box

PER_SKILL = 50  # goals that the package draws for every skill

Part = Literal["whole", "inner", "outer"]


def draw_goals(
    skills: Sequence[str], count: int, rng: Generator, part: Part = "whole", inner: float = 1.0
) -> Tensor:
    """Of every skill in turn, [count, 7]: which skill, then its goal.

    The inner part of a box is that share of its width, around its middle; the outer part is the rest.
    """
    turn = torch.arange(count) % len(skills)
    goals = torch.zeros(count, 1 + GOAL, dtype=torch.float64)
    for place, skill in enumerate(skills):
        rows = (turn == place).nonzero().flatten()
        goals[rows, 0] = NAMES.index(skill)
        goals[rows, 1:] = _from_box(BOXES[skill], len(rows), rng, part, inner)
    return goals


def package_goals(skills: Sequence[str], seed: int) -> Tensor:
    """The very goals of the package's benchmarks for a seed: 50 a skill, skill by skill.

    It draws from numpy's global generator and keeps every other goal that its boxes allow, for it begins an
    episode twice to begin it once.
    """
    chance = np.random.RandomState(seed)
    goals = torch.zeros(len(skills) * PER_SKILL, 1 + GOAL, dtype=torch.float64)
    for row in range(len(goals)):
        skill = skills[row // PER_SKILL]
        box = BOXES[skill]
        goals[row, 0] = NAMES.index(skill)
        for _ in range(2):
            goals[row, 1:] = _first_allowed(box, chance)
    return goals


def _first_allowed(box: Box, chance: np.random.RandomState) -> Tensor:
    while True:
        goal = _padded(torch.from_numpy(chance.uniform(box.low, box.high))[None])
        if allowed(box, goal).all():
            return goal[0]


def _from_box(box: Box, count: int, rng: Generator, part: Part, inner: float) -> Tensor:
    low, high = torch.tensor([box.low, box.high], dtype=torch.float64)
    if part == "inner":
        middle, reach = (low + high) / 2, inner * (high - low) / 2
        low, high = middle - reach, middle + reach
    goals = torch.zeros(count, GOAL, dtype=torch.float64)
    todo = torch.arange(count)
    while len(todo):
        drawn = low + (high - low) * torch.rand(len(todo), len(low), generator=rng, dtype=torch.float64)
        good = allowed(box, goal := _padded(drawn))
        if part == "outer":
            good &= _outside(drawn, low, high, inner)
        goals[todo[good]] = goal[good]
        todo = todo[~good]
    return goals


def _outside(drawn: Tensor, low: Tensor, high: Tensor, inner: float) -> Tensor:
    """Of the inner part, in a direction that a box has at all."""
    wide = high - low > 0.01
    share = (2 * drawn - low - high).abs() / (high - low).clamp(min=1e-12)
    return ((share > inner) & wide).any(1)


def _padded(goals: Tensor) -> Tensor:
    return torch.nn.functional.pad(goals, (0, GOAL - goals.shape[1]))


def allowed(box: Box, goals: Tensor) -> Tensor:
    """[N] bool: the two places are far enough from each other."""
    return (goals[:, :2] - goals[:, 3:5]).square().sum(1).sqrt() >= box.apart
