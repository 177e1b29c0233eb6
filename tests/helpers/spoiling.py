"""What a world pays made noise of: whoever does not read it learns the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from resuming import snapshot
from torch import Tensor

from metairl.core.types import Step


def learns_the_same(env: type[Any], built: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Two iterations, with the world's reward and success and with others."""
    learned, step = [], env.step

    def spoilt(self: Any, action: Tensor) -> Step:
        came: Step = step(self, action)
        return replace(came, reward=torch.randn_like(came.reward), success=torch.rand(self.lanes) < 0.5)

    for other in (step, spoilt):
        monkeypatch.setattr(env, "step", other)
        recipe = built()
        for progress in (0.0, 0.3):
            recipe.iterate(progress)
        learned.append(snapshot(recipe.networks.state_dict()))
    return all(torch.equal(value, learned[1][key]) for key, value in learned[0].items())
