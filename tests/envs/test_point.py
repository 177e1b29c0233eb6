"""A point near a sparse goal: what it is paid, and what it may be trained on."""

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from metairl.core.errors import UsageError
from metairl.core.rng import stream
from metairl.core.types import Step
from metairl.envs.point import Point, SparsePoint
from metairl.experiments.request import make_request
from metairl.methods.registry import find as method
from metairl.methods.settings import settings_from, settings_type

GOALS = {"goal": tensor([[0.15, 0.0], [1.0, 0.0]])}


def one_step(kind: type[Point]) -> Step:
    """Both points go from the origin to (0.1, 0): one is then 0.05 away, the other 0.9."""
    env = kind(GOALS, 20, 1, stream("point"))
    env.reset()
    return env.step(tensor([[1.0, 0.0], [1.0, 0.0]]))


def test_a_sparse_goal_pays_near_it_alone_and_is_then_reached() -> None:
    step = one_step(SparsePoint)
    assert_close(step.reward, tensor([0.95, 0.0]))
    assert step.success.tolist() == [True, False]
    assert step.shaped is not None
    assert_close(step.shaped, tensor([-0.05, -0.9]))


def test_a_dense_goal_has_nothing_beside_it() -> None:
    step = one_step(Point)
    assert_close(step.reward, tensor([-0.05, -0.9]))
    assert not step.success.any()
    assert step.shaped is None


def test_a_shaped_reward_is_asked_for_only_where_there_is_one() -> None:
    settings = settings_from(method("pearl"), "pearl", {"recipe": {"shaped": True}}, "here")
    assert settings != settings_type(method("pearl"), "pearl")()
    with pytest.raises(
        UsageError, match="'point-robot-v1' has no shaped reward; point-sparse tasks have one"
    ):
        make_request("pearl", "point-robot", settings=settings)
    assert make_request("pearl", "point-robot-sparse", settings=settings).settings.recipe.shaped


def test_values_are_of_the_shaped_reward_and_tasks_are_inferred_from_the_true_one() -> None:
    from metairl.agents.exact.baselines import Random
    from metairl.core.rollout import rollout
    from metairl.core.types import NoConfig, PolicyInputs
    from metairl.data.replay import Replay

    env = SparsePoint(GOALS, 20, 1, stream("point"))
    trial = rollout(Random(env.spec, NoConfig()), env, stream("act"), PolicyInputs(), keep_next_obs=True)
    assert trial.shaped is not None
    kept = Replay(1, 20, torch.zeros(2, dtype=torch.long), shaped=True)
    kept.add(torch.tensor([0, 1]), trial)
    batch = kept.sample_segments(torch.tensor([0, 1]), 20, stream("draw")).batch
    assert_close(batch.training_reward, trial.shaped)
    assert_close(batch.reward, trial.outcome.reward)
