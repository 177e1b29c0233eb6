"""What a world does not tell: how its lanes stood before every step of a rollout."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from metairl.core.types import Outcome, Step


class Watched:
    """A world that is looked at before every step, and otherwise the same."""

    def __init__(self, env: Any, look: Callable[[Any], Tensor]):
        self.env, self.look = env, look
        self.spec, self.lanes, self.task = env.spec, env.lanes, env.task
        self.seen: list[Tensor] = []

    def reset(self) -> Tensor:
        first: Tensor = self.env.reset()
        return first

    def step(self, action: Tensor) -> Step:
        self.seen.append(self.look(self.env).clone())
        step: Step = self.env.step(action)
        return step

    @property
    def history(self) -> Tensor:
        """All that was seen, [B, T, …]."""
        return torch.stack(self.seen, dim=1)


def spans(came: Outcome, lane: int, episodes: int) -> list[slice]:
    """The steps of every episode of a lane's trial."""
    ends = came.done[lane].nonzero().flatten()[:episodes].tolist()
    return [slice(a, b + 1) for a, b in zip([0, *(end + 1 for end in ends)], ends, strict=False)]


def moments(length: int, stride: int) -> Sequence[int]:
    """Every so many steps, the last among them."""
    return range((length - 1) % stride, length, stride)
