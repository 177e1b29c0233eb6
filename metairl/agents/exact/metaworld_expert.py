"""The expert of Meta-World: the package's own scripted policy of every skill, which observes the task and its target.

a = clip(π_skill(o with the target in it), −1, 1)

Not learned, and not a bound: some goals of some skills it misses.
"""

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from metairl.core.types import Context, NoConfig, Spec, State
from metairl.tasks.metaworld_boxes import NAMES

TARGET = slice(len(NAMES), len(NAMES) + 3)  # where a task's parameters say it is; which skill stands before


class Scripted:
    def __init__(self, spec: Spec, config: NoConfig): ...

    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        assert context.task is not None, "an expert observes the task"
        seen = torch.cat([context.obs[:, 0, :-3], context.task[:, TARGET]], dim=1).double().numpy()
        skills = context.task[:, : len(NAMES)].argmax(1).tolist()
        with warnings.catch_warnings():  # each step far from its goal warns that it will be clipped
            warnings.simplefilter("ignore", UserWarning)
            actions = [_policy(NAMES[skill]).get_action(o) for skill, o in zip(skills, seen, strict=True)]
        return torch.from_numpy(np.stack(actions)).float().clamp(-1, 1), state


@cache
def _policy(skill: str) -> Any:
    from metaworld.policies import ENV_POLICY_MAP  # takes a second

    policies: dict[str, Any] = ENV_POLICY_MAP
    return policies[skill]()
