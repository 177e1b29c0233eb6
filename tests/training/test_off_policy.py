"""Off-policy training: where context comes from, how much is collected, how many gradient steps follow."""

from typing import Any

import pytest
import torch

from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.methods.registry import find
from metairl.methods.settings import settings_from
from metairl.training.off_policy import OffPolicy

SMALL = {"tasks": 6, "trials": 2, "ratio": 0.1, "batch_tasks": 3, "batch": 8, "context": 30}


def off_policy(method: str, encoder: str, task: str, **recipe: Any) -> OffPolicy:
    settings = settings_from(find(method), encoder, {"recipe": SMALL | recipe}, "")
    _, loop = build(make_request(method, task, encoder, steps=2000, settings=settings))
    assert isinstance(loop, OffPolicy)
    return loop


def test_context_is_of_exploration_episodes_and_never_of_the_last_one() -> None:
    """Of three episodes of 20 steps the first 40 steps are context; each is marked by its number."""
    loop = off_policy("pearl", "pearl", "point-robot:episodes=3")
    loop.collect(torch.arange(6))
    loop.replay.data["reward"][:, 0] = torch.arange(60.0)
    steps = torch.stack([loop.context_for(torch.arange(6)).reward for _ in range(50)])
    assert steps.max() == 39 and steps.min() == 0
    assert len(steps.unique()) == 40


def test_context_is_of_the_newest_trials_alone() -> None:
    loop = off_policy("pearl", "pearl", "point-robot:episodes=2", recent=1)
    for _ in range(3):
        loop.collect(torch.arange(6))
    loop.replay.data["reward"][:, :3] = torch.arange(3.0).view(3, 1)
    assert loop.context_for(torch.arange(6)).reward.unique().tolist() == [2.0]


@pytest.mark.parametrize("ratio, updates", [(0.1, 4), (0.5, 20)])
def test_the_first_iteration_only_collects_and_later_ones_update_by_the_ratio(
    ratio: float, updates: int
) -> None:
    """One trial of 20 steps in each of 6 tasks, then in 2 of them: ρ · 40 gradient steps."""
    loop = off_policy("sac", "oracle", "point-robot:episodes=1", ratio=ratio)
    loop.iterate(0.0)
    assert (loop.env_steps, loop.gradient_steps) == (120, 0)
    loop.iterate(0.1)
    assert (loop.env_steps, loop.gradient_steps) == (160, updates)


def test_the_oldest_trials_make_room() -> None:
    loop = off_policy("sac", "oracle", "point-robot:episodes=1", keep=2 * 6 * 20)
    for _ in range(3):
        loop.collect(torch.arange(6))
    assert loop.replay.capacity == 2
    assert loop.replay.num_trials.tolist() == [3] * 6
