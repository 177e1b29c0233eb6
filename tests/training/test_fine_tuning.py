"""Learning on in held-out tasks: from what was learned, a copy a task, and what is held stays."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from metairl.core.errors import UsageError
from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation import protocol
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge_adapted
from metairl.experiments.request import Request, make_request
from metairl.experiments.run import execute
from metairl.methods.method import Regime
from metairl.tasks import sampling
from metairl.training.fine_tuning import Config, adapt, freeze
from metairl.training.loop import TrainingLoop

TASKS, POINTS, STEPS = 3, 2, 160


def small(regime: Regime, layers: str = "all") -> Request:
    steps = 400 if regime == "fine-tune" else None
    asked = make_request("sac", "point-robot", steps=steps, regime=regime)
    few = {"ratio": 0.05, "batch": 8}
    settings = replace(
        asked.settings,
        learner=replace(asked.settings.learner, hidden=(16,)),
        recipe=replace(asked.settings.recipe, tasks=8, trials=4, batch_tasks=4, **few),
        alone=replace(asked.settings.alone, **few),
        adapt=Config(steps=STEPS, points=POINTS, tasks=TASKS, layers=layers),
    )
    return replace(asked, settings=settings)


def learned(asked: Request) -> TrainingLoop:
    _, recipe = build(asked)
    assert isinstance(recipe, TrainingLoop)
    for _ in range(2):
        recipe.iterate(0.0)
    return recipe


def weights(recipe: TrainingLoop) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in recipe.networks.state_dict().items()}


def curve(asked: Request, recipe: TrainingLoop) -> list[Evaluation]:
    spent = protocol.StepCounts(recipe.env_steps, recipe.gradient_steps)
    return [e for judged in judge_adapted(asked, recipe, spent) for e in judged]


def test_it_begins_with_what_was_learned_and_leaves_that_alone() -> None:
    asked = small("fine-tune")
    recipe = learned(asked)
    before = weights(recipe)
    found = curve(asked, recipe)
    tasks = sampling.TaskSet(asked.card.id, "test", sampling.task_set(asked.card, "test")[slice(TASKS)])
    still = protocol.meta_test(
        recipe.agent.policy(False), asked.card, tasks, asked.inputs, 0, protocol.StepCounts()
    )
    assert found[0].returns == pytest.approx(still[0].returns, abs=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in weights(recipe).items())


def test_a_task_learns_nothing_from_the_others_beside_it() -> None:
    together = small("fine-tune")
    alone = replace(
        together, settings=replace(together.settings, adapt=replace(together.settings.adapt, tasks=1))
    )
    recipe = learned(together)
    assert [e.returns[:1] for e in curve(together, recipe)] == [e.returns for e in curve(alone, recipe)]


def test_from_scratch_it_begins_elsewhere() -> None:
    tuned, fresh = small("fine-tune"), small("scratch")
    recipe = learned(tuned)
    assert curve(tuned, recipe)[0].returns != curve(fresh, build(fresh)[1])[0].returns


def test_every_point_says_what_was_lived_before() -> None:
    asked = small("fine-tune")
    recipe = learned(asked)
    found = curve(asked, recipe)
    first = [e for e in found if e.k == 1]
    assert [e.split for e in first] == ["adaptation"] * (POINTS + 1) + ["test"]
    assert [e.adapt_steps // TASKS for e in first] == [0, 80, 160, 160]
    assert {e.env_steps for e in found} == {recipe.env_steps}
    assert all(len(e.returns) == TASKS for e in found)
    assert first[-1].returns == first[-2].returns


def test_what_is_held_does_not_move() -> None:
    asked = small("fine-tune", layers="last")
    recipe = learned(asked)
    freeze(recipe.agent, "last")
    before = weights(recipe)
    recipe.iterate(0.0)
    moved = {name for name, value in weights(recipe).items() if not torch.equal(value, before[name])}
    last = {"policy.net.2.weight", "policy.net.2.bias", "critic.weights.1", "critic.biases.1", "log_alpha"}
    assert {name for name in moved if "target" not in name} == {f"learner.{name}" for name in last}


def test_points_come_after_equal_shares_of_the_steps() -> None:
    class Counting(TrainingLoop):
        def __init__(self) -> None:
            self.env_steps = 0

        def iterate(self, progress: float) -> dict[str, float]:
            assert progress == self.env_steps / 100
            self.env_steps += 20
            return {}

    copies = [Counting(), Counting()]
    seen = [(lived, copies[1].env_steps) for lived in adapt(copies, Config(steps=100, points=2))]
    assert seen == [(0, 0), (50, 60), (100, 100)]


def test_scratch_has_no_steps_to_train_before() -> None:
    with pytest.raises(UsageError, match=r"set --adapt\.steps, not --steps"):
        make_request("sac", "point-robot", steps=1000, regime="scratch")
    assert make_request("sac", "point-robot", regime="scratch").steps == 0


def test_a_run_keeps_the_curve_and_its_end(tmp_path: Path) -> None:
    execute(small("scratch"), tmp_path, [])
    records = [r for r in RunFolder(tmp_path).records() if isinstance(r, Evaluation)]
    splits = [r.split for r in records]
    assert splits == ["validation"] * 2 + ["adaptation"] * 2 * (POINTS + 1) + ["test"] * 2
