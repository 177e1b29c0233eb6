"""VICE and its baseline: what they read, and which of them is exploited."""

from itertools import product
from pathlib import Path

import pytest
import torch
from resuming import goes_on_bit_for_bit, snapshot
from spoiling import learns_the_same

from metairl.agents.agent import AgentPolicy, ConditionedPolicy
from metairl.agents.encoders import ENCODERS
from metairl.core.errors import UsageError
from metairl.core.records import Evaluation, RunFolder, Training
from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.data import task_sources
from metairl.envs import make, spec_of
from metairl.envs.point_maze import PointMaze
from metairl.evaluation.protocol import StepCounts
from metairl.experiments import experts
from metairl.experiments.assemble import build
from metairl.experiments.judging import given_support, judge
from metairl.experiments.request import Request, make_request
from metairl.methods.registry import METHODS, find
from metairl.methods.settings import settings_from
from metairl.tasks import catalogue, sampling
from metairl.training.vice import VICE

TASK = "point-maze:examples=5"
CITED = "point-maze-v1_episodes=1,examples=20"
NAMES = [name for name, method in METHODS.items() if method.support == "goals"]
SMALL = {"tasks": 8, "trials": 6, "keep": 2, "first_rounds": 3, "rounds": 2, "batch_trials": 4, "steps": 16}


def asked(name: str, encoder: str = "oracle", **recipe: object) -> Request:
    settings = settings_from(find(name), encoder, {"recipe": SMALL | recipe}, "")
    return make_request(name, TASK, encoder, steps=3000, settings=settings)


def built(name: str, **recipe: object) -> VICE:
    _, made = build(asked(name, **recipe))
    assert isinstance(made, VICE)
    return made


def test_its_stages_can_collect_logs_the_reward_left_out() -> None:
    wanted, recipe = asked("vice"), built("vice")
    recipe.iterate(0.0)
    stage = {"networks": recipe.networks.state_dict()}
    acting = experts._policy(wanted, stage, explore=True)
    assert isinstance(acting, AgentPolicy) and acting.explore
    same = recipe.agent.networks.state_dict()
    assert all(torch.equal(value, same[key]) for key, value in acting.agent.networks.state_dict().items())


def test_both_methods_are_here() -> None:
    assert NAMES == ["goal-classifier", "vice"]


def test_examples_are_a_setting_of_the_task_that_is_asked_for() -> None:
    with pytest.raises(UsageError, match="learns from examples of success; say how many: point-maze-v1:ex"):
        make_request("vice", "point-maze")
    with pytest.raises(UsageError, match="'examples' must be a whole number above 0, not 'many'"):
        make_request("vice", "point-maze:examples=many")
    with pytest.raises(UsageError, match="has no setting 'examples'"):
        make_request("vice", "bandit-5:examples=3")
    with pytest.raises(
        UsageError, match=r"recipe\.trials \(6\) must be at most recipe\.tasks \(4\): one trial a task"
    ):
        built("vice", tasks=4)
    assert catalogue.task_name(TASK) == "point-maze-v1:episodes=1,examples=5"


def test_examples_leave_the_held_out_tasks_as_they_were() -> None:
    few, none = (catalogue.task(name) for name in (TASK, "point-maze"))
    assert sampling.task_set(few, "test").sha256 == sampling.task_set(none, "test").sha256
    assert few.sha256 != none.sha256


def test_every_task_shows_as_many_examples_of_its_own_goal() -> None:
    recipe = built("vice")
    assert recipe.source.examples.shape == (8, 5, 2)
    goals = recipe.source.tasks[:]["goal"].unsqueeze(1)
    assert ((recipe.source.examples - goals).norm(dim=-1) <= 0.2).all()


def test_a_gradient_step_reads_as_many_examples_as_visits_of_the_same_tasks() -> None:
    recipe = built("vice")
    recipe.iterate(0.0)
    examples, visited = recipe.examples_and_visited()
    assert examples.z.shape == visited.z.shape == (4, 16, 4)
    assert examples.mask.sum() == visited.mask.sum() == 64
    torch.testing.assert_close(examples.z[..., 2:], visited.z[..., 2:])  # the task, by the oracle
    assert ((examples.z[..., :2] - examples.z[..., 2:]).norm(dim=-1) <= 0.2).all()
    assert (visited.z[..., 1] < 0.3).all()  # nobody came around the wall yet


@pytest.mark.parametrize("name", NAMES)
def test_only_vice_goes_on_learning_what_success_is(name: str) -> None:
    recipe = built(name)
    before = snapshot(recipe.reward.state_dict())
    recipe.iterate(0.0)
    first = snapshot(recipe.reward.state_dict())
    recipe.iterate(0.1)
    moved = [any(not torch.equal(a[key], b[key]) for key in a) for a, b in (
        (before, first), (first, recipe.reward.state_dict()))]  # fmt: skip
    assert moved == [True, name == "vice"]


def test_the_newest_visits_are_kept_and_no_more() -> None:
    recipe = built("vice")
    for _ in range(5):
        recipe.iterate(0.0)
    assert int(recipe.visited.num_trials.sum()) == 30
    assert recipe.visited.data["obs"].shape[:2] == (8, 2)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", NAMES)
def test_every_network_moves_and_a_resumed_run_is_equal_bit_for_bit(name: str, encoder: str) -> None:
    wanted = asked(name, encoder)
    goes_on_bit_for_bit(wanted)
    assert not wanted.inputs.reward


@pytest.mark.parametrize("name", NAMES)
def test_the_environments_reward_is_never_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert learns_the_same(PointMaze, lambda: built(name), monkeypatch)


def trained(name: str, seed: int) -> tuple[float, float]:
    """Success in held-out tasks, and the classifier's mean probability in the states visited there."""
    wanted = make_request(name, "point-maze:examples=20", seed=seed)
    policy, recipe = build(wanted)
    assert isinstance(recipe, VICE)
    while recipe.clock < wanted.steps:
        recipe.iterate(recipe.clock / wanted.steps)
    judged = judge(wanted, policy, "test", StepCounts())[0]
    assert judged.success is not None
    env = make(wanted.card, sampling.task_set(wanted.card, "test")[:], stream("exhibit"))
    trial = rollout(policy, env, stream("exhibit", "act"), wanted.inputs, keep_next_obs=True)
    assert trial.next_obs is not None
    with torch.no_grad():
        looks = recipe.reward.probability(recipe.agent.embed(trial.next_obs, trial.task, None))
    return sum(judged.success) / len(judged.success), looks.mean().item()


@pytest.mark.slow
@pytest.mark.learning
def test_a_classifier_fitted_in_advance_is_fooled_and_vice_is_not() -> None:
    """The naive policy stands below the wall: its reward is as high, and it succeeds less than half as often."""
    naive, vice = trained("goal-classifier", 0), trained("vice", 0)
    assert naive[1] >= vice[1]
    assert naive[0] < vice[0] / 2
    assert vice[0] > 0.8


def test_in_the_committed_runs_the_classifier_fitted_in_advance_is_fooled_in_every_seed() -> None:
    runs = Path(__file__).parents[2] / "results" / "records" / "reward-learning"
    success: dict[str, list[float]] = {name: [] for name in NAMES}
    looks: dict[str, list[float]] = {name: [] for name in NAMES}
    for name, seed in product(NAMES, range(5)):
        found = list(
            RunFolder(runs / name / "point-maze-v1_episodes=1,examples=20" / f"seed-{seed}").records()
        )
        last = [record for record in found if isinstance(record, Evaluation)][-1]
        assert last.split == "test" and last.success is not None
        success[name].append(sum(last.success) / len(last.success))
        looks[name].append([record for record in found if isinstance(record, Training)][-1].metrics["looks"])
    assert max(success["goal-classifier"]) < min(success["vice"]) / 2
    assert min(looks["goal-classifier"]) > max(looks["vice"])


def test_a_held_out_task_is_inferred_from_its_own_examples() -> None:
    """The belief of every lane is what its own task's states of success say, and no parameter is read."""
    wanted = asked("vice", "focal")
    policy, _ = build(wanted)
    card, tasks = wanted.card, sampling.task_set(wanted.card, "test")
    belief = given_support(wanted, policy, card, "test")
    assert isinstance(belief, ConditionedPolicy) and len(belief.posterior) == len(tasks)
    chance = stream("judge", "support", card.id, "test")
    examples = task_sources.success_examples(make(card, tasks[:], chance), card, chance)
    assert ((examples - tasks[:]["goal"].unsqueeze(1)).norm(dim=-1) <= 0.2).all()
    with torch.no_grad():
        one, _ = belief.agent.set_encoder.infer_posterior(
            task_sources.as_context(examples[3:4], spec_of(card))
        )
    torch.testing.assert_close(one[0], belief.posterior[3])
    assert not wanted.inputs.task and not wanted.inputs.reward


def test_what_is_inferred_from_examples_knows_no_order_and_no_parameters() -> None:
    source = built("vice").source
    batch = task_sources.as_context(source.examples, source.spec)
    assert not batch.task.any() and not batch.reward.any() and not batch.action.any()
    set_encoder = build(asked("vice", "pearl"))[1]
    assert isinstance(set_encoder, VICE)
    beliefs = [set_encoder.agent.set_encoder.infer_posterior(task_sources.as_context(x, source.spec))[0]
               for x in (source.examples, source.examples.flip(1))]  # fmt: skip
    torch.testing.assert_close(*beliefs)


def test_another_card_without_examples_is_refused_where_tasks_are_inferred_from_them() -> None:
    wanted = asked("vice", "pearl")
    policy, _ = build(wanted)
    with pytest.raises(UsageError, match="say how many: point-maze-v1:examples=20"):
        given_support(wanted, policy, catalogue.task("point-maze"), "test")
