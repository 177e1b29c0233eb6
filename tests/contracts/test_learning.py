"""Does it learn? Judged on held-out tasks against a rival, by permutation test."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation.protocol import StepCounts
from metairl.evaluation.statistics import permutation_test
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request
from metairl.experiments.run import execute

STEPS = 150_000


@pytest.mark.learning
@pytest.mark.parametrize(
    "task, method, encoder, better_than",
    [
        ("bandit-5", "rl2", None, "random"),
        ("bandit-5", "ppo", "oracle", "greedy"),
        ("point-robot", "ppo", "oracle", "random"),
    ],
)
def test_it_adapts_to_tasks_it_never_saw(
    tmp_path: Path, task: str, method: str, encoder: str | None, better_than: str
) -> None:
    execute(make_request(method, task, encoder, steps=STEPS), tmp_path, [])
    ours = [r for r in RunFolder(tmp_path).records() if isinstance(r, Evaluation) and r.split == "test"]
    rival = make_request(better_than, task)
    theirs = judge(rival, build(rival)[0], "test", StepCounts())
    sample = slice(0, 500)
    scores = (np.array(moment[0].returns, dtype=float)[sample] for moment in (ours, theirs))
    assert permutation_test(*scores, np.random.default_rng(0)) < 0.001


@pytest.mark.learning
def test_off_policy_it_learns_from_few_steps(tmp_path: Path) -> None:
    """A point that is told its goal comes nearer than chance does, after 12,000 steps."""
    asked = make_request("sac", "point-robot", "oracle", steps=12_000)
    few = {"tasks": 50, "trials": 20, "batch": 16, "ratio": 0.1, "learning_rate": 2e-3}
    settings = replace(
        asked.settings,
        recipe=replace(asked.settings.recipe, **few),
        learner=replace(asked.settings.learner, hidden=(64,), gamma=0.9),
    )
    execute(replace(asked, settings=settings), tmp_path, [])
    ours = [r for r in RunFolder(tmp_path).records() if isinstance(r, Evaluation) and r.split == "test"]
    rival = make_request("random", "point-robot")
    theirs = judge(rival, build(rival)[0], "test", StepCounts())
    scores = (np.array(moment[1].returns, dtype=float) for moment in (ours, theirs))
    assert permutation_test(*scores, np.random.default_rng(0)) < 0.001
