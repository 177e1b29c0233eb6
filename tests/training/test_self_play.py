"""Goals that are proposed: rewards of both policies, what is cloned, and that the environment's reward is not read."""

from dataclasses import replace

import pytest
import torch
from resuming import goes_on_bit_for_bit, snapshot
from spoiling import learns_the_same
from torch import Tensor, tensor
from torch.testing import assert_close

from metairl.core.errors import CardError
from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.core.types import PolicyInputs, Trial
from metairl.envs.point_maze import PointMaze
from metairl.evaluation.protocol import StepCounts
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import Request, make_request
from metairl.methods.registry import METHODS, find
from metairl.methods.settings import settings_from
from metairl.tasks import catalogue, sampling
from metairl.training import self_play
from metairl.training.goal_reaching import GoalReaching, Round, curriculum, last_obs, with_goals
from metairl.training.self_play import SelfPlay, at_last_step, setter_reward
from metairl.training.uniform_goals import UniformGoals
from metairl.training.visited_goals import VisitedGoals

NAMES = [name for name, method in METHODS.items() if method.support == "task"]
TRIALS, STEPS = 6, 50
SMALL = {"trials": TRIALS, "epochs": 2, "minibatches": 2}


def asked(name: str, **recipe: object) -> Request:
    settings = settings_from(find(name), "oracle", {"recipe": SMALL | recipe}, "")
    return make_request(name, "point-maze", steps=3000, settings=settings)


def built(name: str, **recipe: object) -> GoalReaching:
    _, made = build(asked(name, **recipe))
    assert isinstance(made, GoalReaching)
    return made


def playing(**recipe: object) -> SelfPlay:
    made = built("self-play", **recipe)
    assert isinstance(made, SelfPlay)
    return made


class Right:
    """Goes right, in every third lane only."""

    def initial(self, lanes: int) -> tuple[Tensor, ...]:
        return ()

    def act(
        self, context: object, state: tuple[Tensor, ...], rng: object
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        moves = (torch.arange(TRIALS) % 3 == 0).float()
        return torch.stack([moves, torch.zeros(TRIALS)], dim=1), state


def going_right() -> Trial:
    """From (0.6, −0.8): to 0.7, 0.8, 0.9 and then 1.0 for good; four lanes of six stay."""
    recipe = built("uniform-goals")
    return rollout(Right(), recipe.any_env(), stream("act"), PolicyInputs(reward=False), keep_next_obs=True)


def test_all_three_are_here() -> None:
    assert NAMES == ["self-play", "uniform-goals", "visited-goals"]


def test_the_setter_is_rewarded_for_goals_away_from_the_start_and_more_if_they_are_not_reached() -> None:
    """Of four steps: there after the third and fourth, never, at once; the last two goals are not away."""
    at_goal = tensor(
        [[0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1]]
    ).bool()
    away = tensor([True, True, True, True, False, False])
    assert setter_reward(at_goal, away, self_play.Config()).tolist() == [0.5, 0.25, 6, 0, 0, 0]
    half = self_play.Config(failure_reward=2.0, time_reward=0.5)
    assert setter_reward(at_goal, away, half).tolist() == [0.25, 0.125, 2.5, 0, 0, 0]


def test_its_reward_comes_at_the_last_unmasked_step() -> None:
    trial = going_right()
    mask = torch.arange(STEPS).expand(TRIALS, STEPS) < tensor([50, 1, 3, 50, 50, 50]).unsqueeze(1)
    trial = replace(trial, outcome=replace(trial.outcome, mask=mask))
    rewards = at_last_step(tensor([1.0, 2, 3, 4, 5, 6]), trial)
    assert rewards.sum(1).tolist() == [1, 2, 3, 4, 5, 6]
    assert rewards[1, 0] == 2 and rewards[2, 2] == 3 and rewards[0, 49] == 1
    assert trial.next_obs is not None
    assert_close(
        last_obs(trial)[:3], torch.stack([trial.next_obs[0, 49], trial.next_obs[1, 0], trial.next_obs[2, 2]])
    )


def test_the_policy_is_rewarded_in_every_step_that_reaches_its_goal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, rewards = built("uniform-goals"), []
    goal = tensor([0.95, -0.8])
    monkeypatch.setattr(recipe, "propose", lambda: (goal.repeat(TRIALS, 1), None))
    monkeypatch.setattr(recipe, "collect", lambda *others: with_goals(going_right(), goal.repeat(TRIALS, 1)))
    monkeypatch.setattr(recipe, "improve", lambda trial, *others: rewards.append(trial) or {})
    metrics = recipe.iterate(0.0)
    reward = rewards[0].outcome.reward
    assert reward[0].tolist() == [0.0] + [1.0] * 49  # 0.7 is too far, 0.8 is not
    assert not reward[1].any()
    assert metrics["reached"] == pytest.approx(1 / 3) and metrics["away"] == 1
    assert metrics["distance"] == pytest.approx(0.35) and metrics["spread"] == 0


def test_the_curriculum_in_numbers() -> None:
    trial = going_right()
    goals = tensor([[0.6, -0.8], [0.6, 0.2]]).repeat(3, 1)
    at_goal = torch.zeros(TRIALS, STEPS, dtype=torch.bool)
    at_goal[0, 4] = at_goal[0, 5] = True
    metrics = curriculum(Round(goals, None, trial, at_goal, tensor([False, True] * 3)))
    expected = {"reached": 1 / 6, "away": 0.5, "distance": 0.5, "spread": 0.5}
    assert metrics == pytest.approx(expected)


def test_the_setter_acts_first_and_its_last_observation_is_the_goal() -> None:
    recipe = playing()
    goals, shown = recipe.propose()
    assert_close(goals, last_obs(shown))
    assert recipe.env_steps == TRIALS * STEPS
    played = recipe._play(goals, shown)
    assert recipe.env_steps == 2 * TRIALS * STEPS
    assert_close(played.trial.task, goals)
    way, _ = recipe.demonstrations(played)
    assert_close(way.task, goals)
    assert torch.equal(way.obs, shown.obs) and torch.equal(way.action, shown.action)
    assert not recipe.setter.agent.inputs.task and not recipe.setter.agent.inputs.reward


def test_the_setters_steps_count() -> None:
    steps = {name: built(name) for name in NAMES}
    for recipe in steps.values():
        recipe.iterate(0.0)
    assert steps["self-play"].env_steps == 2 * TRIALS * STEPS
    assert steps["uniform-goals"].env_steps == steps["visited-goals"].env_steps == TRIALS * STEPS
    assert steps["self-play"].gradient_steps == 8 and steps["uniform-goals"].gradient_steps == 4


def test_both_learn_in_every_iteration() -> None:
    recipe = playing()
    for progress in (0.0, 0.3):
        before = [snapshot(agent.networks.state_dict()) for agent in (recipe.agent, recipe.setter.agent)]
        recipe.iterate(progress)
        for was, agent in zip(before, (recipe.agent, recipe.setter.agent), strict=True):
            now = agent.networks.state_dict()
            assert {name for name in was if not torch.equal(was[name], now[name])} == set(was)


def test_ways_are_cloned_where_the_goal_is_away_and_the_reacher_failed() -> None:
    recipe, trial = playing(), going_right()
    at_goal = torch.zeros(TRIALS, STEPS, dtype=torch.bool)
    at_goal[0, 3] = at_goal[2, 1] = True
    away = tensor([True, True, False, False, True, True])
    _, wanted = recipe.demonstrations(Round(last_obs(trial), trial, trial, at_goal, away))
    assert wanted.tolist() == [False, True, False, False, True, True]


def test_hindsight_shows_ways_to_where_the_reacher_ended_instead() -> None:
    recipe, trial = built("visited-goals"), going_right()
    assert isinstance(recipe, VisitedGoals)
    at_goal = torch.zeros(TRIALS, STEPS, dtype=torch.bool)
    at_goal[0, 3] = True
    way, wanted = recipe.demonstrations(Round(trial.task, None, trial, at_goal, at_goal.any(1)))
    assert_close(way.task[[0, 1]], tensor([[1.0, -0.8], [0.6, -0.8]]))
    assert wanted.tolist() == [False, False, False, True, False, False]  # lane 3 moved and failed


def test_cloning_weighs_the_ways_that_are_wanted_and_no_others() -> None:
    """ρ is 1 before the first step: −c times the share that is wanted."""
    recipe, trial = playing(cloning_weight=0.5), going_right()
    rows = torch.arange(TRIALS)
    none, some = tensor([False] * 6), tensor([True, False, False, True, False, True])
    assert recipe._cloning(trial, none)(rows)["cloning"] == 0
    assert_close(recipe._cloning(trial, some)(rows)["cloning"], tensor(-0.25))
    assert_close(recipe._cloning(trial, some)(rows[:2])["cloning"], tensor(-0.25))
    spoilt = replace(trial, action=trial.action.clone())
    spoilt.action[1] += 5
    gradients = []
    for way in (trial, spoilt):
        recipe.agent.networks.zero_grad()
        torch.autograd.backward(recipe._cloning(way, some)(rows)["cloning"])
        gradients.append([weight.grad for weight in recipe.agent.learner.policy.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True) if a is not None and b is not None)


def test_cloning_stops_where_the_way_is_likelier_by_the_clip_and_goes_on_where_it_is_not() -> None:
    recipe, trial = playing(), going_right()
    rows, every = torch.arange(TRIALS), torch.ones(TRIALS, dtype=torch.bool)
    log_std = recipe.agent.learner.policy.log_std
    assert log_std is not None
    for change, moves in ((-0.3, False), (0.3, True)):  # the mode is near what the four lanes did
        beside = recipe._cloning(trial, every & ~(torch.arange(TRIALS) % 3 == 0))
        recipe.agent.networks.zero_grad()
        with torch.no_grad():
            log_std += change
        loss = beside(rows)["cloning"]
        torch.autograd.backward(loss)
        assert log_std.grad is not None
        assert bool(log_std.grad.abs().max() > 1e-6) == moves
        with torch.no_grad():
            log_std -= change
        assert (loss < -0.5 * 1.199 * 4 / 6) == (not moves)


def test_uniform_goals_are_everywhere() -> None:
    recipe = built("uniform-goals", trials=2000)
    assert isinstance(recipe, UniformGoals)
    goals, shown = recipe.propose()
    assert shown is None
    quarters = (goals > 0).long() @ tensor([1, 2])
    assert (quarters.bincount() - 500).abs().max() < 100
    assert goals.abs().max() <= 1 and goals.abs().max() > 0.99


def test_goals_of_hindsight_are_places_it_visited_and_the_newest_are_kept() -> None:
    recipe = built("visited-goals", keep=400)
    assert isinstance(recipe, VisitedGoals)
    first, _ = recipe.propose()
    assert_close(first, tensor([0.6, -0.8]).repeat(TRIALS, 1))
    recipe.iterate(0.0)
    before = recipe.visited
    recipe.iterate(0.1)
    assert len(recipe.visited) == 400
    assert torch.equal(recipe.visited[:100], before[-100:])
    goals, _ = recipe.propose()
    assert all((recipe.visited == goal).all(1).any() for goal in goals)


def test_a_goal_that_is_held_out_is_refused() -> None:
    recipe = built("uniform-goals")
    held_out = sampling.task_set(catalogue.task("point-maze"), "test").tasks["goal"][:TRIALS]
    with pytest.raises(CardError, match="train tasks are held-out tasks too"):
        recipe._play(held_out, None)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_moves_and_a_resumed_run_is_equal_bit_for_bit(name: str) -> None:
    wanted = asked(name)
    goes_on_bit_for_bit(wanted)
    assert wanted.inputs == PolicyInputs(reward=False, task=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_environments_reward_is_never_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert learns_the_same(PointMaze, lambda: built(name), monkeypatch)


def trained(name: str) -> float:
    """Success in held-out tasks."""
    wanted = make_request(name, "point-maze", seed=0)
    policy, recipe = build(wanted)
    assert isinstance(recipe, GoalReaching)
    while recipe.clock < wanted.steps:
        recipe.iterate(recipe.clock / wanted.steps)
    judged = judge(wanted, policy, "test", StepCounts())[0]
    assert judged.success is not None
    return sum(judged.success) / len(judged.success)


@pytest.mark.slow
@pytest.mark.learning
def test_goals_behind_the_wall_are_found_by_self_play_and_not_by_uniform_goals() -> None:
    """Those who were never there go straight at the wall."""
    assert trained("self-play") > 0.8
    assert trained("uniform-goals") < 0.2
