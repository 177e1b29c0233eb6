"""The goal of the skill `reach`: the position of the fingertips, its target and half of its task parameters."""

import torch
from torch import Tensor

from metairl.core.types import GoalSpec
from metairl.tasks.metaworld_boxes import NAMES

GRIP = (0.0, 0.0, -0.045)  # from the hand to between the fingertips, in metres; they point down
NEAR = 0.05  # of the target, as the skill's own success has it


def fingertips(obs: Tensor) -> Tensor:
    return obs[..., :3] + torch.tensor(GRIP)


def sent_to(task: Tensor, goal: Tensor) -> Tensor:
    """The target, and the place of the target in the six numbers of the goal behind it."""
    parts = task[:, : len(NAMES)], goal, task[:, len(NAMES) + 3 : -3], goal
    return torch.cat(parts, dim=1)


GOAL = GoalSpec(fingertips, sent_to, NEAR)
