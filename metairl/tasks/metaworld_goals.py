"""Samples goals of Meta-World skills: positions of an episode's object, fixture and target.

A goal has six numbers: the position of an object or fixture, then that of the target. Skills with one position
leave the rest zero. Goals are uniform on the skill's box, and resampled while the two positions are too close.
Sampling needs no simulation.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor

from metairl.tasks.metaworld_boxes import BOXES, GOAL, NAMES, Box

PER_SKILL = 50  # goals of every skill in the package's benchmarks

Part = Literal["whole", "inner", "outer"]


def draw_goals(
    skills: Sequence[str], count: int, rng: Generator, part: Part = "whole", inner: float = 1.0
) -> Tensor:
    """Goals of each skill in turn, [count, 7]: the index of the skill, then the goal.

    The inner part of a box has this share of its width, around its centre; the outer part is the rest.
    """
    position = torch.arange(count) % len(skills)
    goals = torch.zeros(count, 1 + GOAL, dtype=torch.float64)
    for index, skill in enumerate(skills):
        rows = (position == index).nonzero().flatten()
        goals[rows, 0] = NAMES.index(skill)
        goals[rows, 1:] = _sample_box(BOXES[skill], len(rows), rng, part, inner)
    return goals


def package_goals(skills: Sequence[str], seed: int) -> Tensor:
    """The goals of the package's benchmarks for a seed, 50 of each skill, skill by skill.

    The package samples from numpy's global generator, and resets an env twice for every goal, so that it keeps
    only every second allowed goal.
    """
    rng = np.random.RandomState(seed)
    goals = torch.zeros(len(skills) * PER_SKILL, 1 + GOAL, dtype=torch.float64)
    for row in range(len(goals)):
        skill = skills[row // PER_SKILL]
        box = BOXES[skill]
        goals[row, 0] = NAMES.index(skill)
        for _ in range(2):
            goals[row, 1:] = _first_allowed(box, rng)
    return goals


def _first_allowed(box: Box, rng: np.random.RandomState) -> Tensor:
    while True:
        goal = _padded(torch.from_numpy(rng.uniform(box.low, box.high))[None])
        if allowed(box, goal).all():
            return goal[0]


def _sample_box(box: Box, count: int, rng: Generator, part: Part, inner: float) -> Tensor:
    low, high = torch.tensor([box.low, box.high], dtype=torch.float64)
    if part == "inner":
        centre, half_width = (low + high) / 2, inner * (high - low) / 2
        low, high = centre - half_width, centre + half_width
    goals = torch.zeros(count, GOAL, dtype=torch.float64)
    missing = torch.arange(count)
    while len(missing):
        sample = low + (high - low) * torch.rand(len(missing), len(low), generator=rng, dtype=torch.float64)
        accepted = allowed(box, goal := _padded(sample))
        if part == "outer":
            accepted &= _is_outer(sample, low, high, inner)
        goals[missing[accepted]] = goal[accepted]
        missing = missing[~accepted]
    return goals


def _is_outer(sample: Tensor, low: Tensor, high: Tensor, inner: float) -> Tensor:
    """Whether goals are outside the inner part in some dimension, [N] bool; degenerate dimensions do not count."""
    wide = high - low > 0.01
    share = (2 * sample - low - high).abs() / (high - low).clamp(min=1e-12)
    return ((share > inner) & wide).any(1)


def _padded(goals: Tensor) -> Tensor:
    return torch.nn.functional.pad(goals, (0, GOAL - goals.shape[1]))


def allowed(box: Box, goals: Tensor) -> Tensor:
    """Whether the two positions of each goal are far enough apart, [N, 6] -> [N] bool."""
    return (goals[:, :2] - goals[:, 3:5]).square().sum(1).sqrt() >= box.apart
