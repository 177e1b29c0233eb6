"""The eight promises of the judge. Each test also meets a judge that breaks the promise, and must notice."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from metairl.agents.agent import AgentPolicy
from metairl.core.errors import CardError
from metairl.core.interfaces import Env
from metairl.core.records import Evaluation, RunFolder, Training, from_line, to_line
from metairl.core.rng import stream
from metairl.core.rollout import rollout, rollout_outcome
from metairl.core.types import Context, Outcome, PolicyInputs, Spec, State, Step, Tasks
from metairl.envs import ENVS, make
from metairl.evaluation import protocol
from metairl.evaluation.statistics import rank
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request
from metairl.methods.build import policy_inputs
from metairl.methods.registry import METHODS, find
from metairl.methods.settings import settings_type
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet
from metairl.training.off_policy import OffPolicy

GOALS, HORIZON = 4, 20
SEES_REWARD = PolicyInputs()


class Reach:
    """One of four goals is right; acting on it ends the episode, anything else runs to the horizon."""

    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        self.task = tasks["goal"]  # [B, 1]
        self.lanes = len(self.task)
        self.spec = Spec(1, GOALS, True, horizon, episodes, params=1)
        self.age = torch.zeros(self.lanes)

    def reset(self) -> Tensor:
        self.age = torch.zeros(self.lanes)
        return torch.zeros(self.lanes, 1)

    def step(self, action: Tensor) -> Step:
        self.age = self.age + 1
        success = action == self.task[:, 0]
        truncated = (self.age >= self.spec.horizon) & ~success
        self.age = self.age.where(~(success | truncated), 0.0)
        obs = torch.zeros(self.lanes, 1)
        return Step(obs, success.float(), success, truncated, success, obs)


class Always:
    """Competent on exactly one goal."""

    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        return torch.zeros(len(context.obs), dtype=torch.int64), state


class Peeking(Always):
    """Reads the reward."""

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        assert context.prev_reward is not None
        return (context.prev_reward[:, 0] * 0).long(), state


class Counting(Always):
    """Its memory counts its steps and it acts by the count: what it does shows what it remembers."""

    def initial(self, lanes: int) -> State:
        return (torch.zeros(lanes, dtype=torch.int64),)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        return state[0] // 3 % GOALS, (state[0] + 1,)


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> TaskCard:
    monkeypatch.setitem(ENVS, "reach", Reach)
    bandit = catalogue.task("bandit-5")
    return bandit.model_copy(
        update={
            "id": "reach-v1",
            "world": "reach",
            "horizon": HORIZON,
            "episodes": 3,
            "reports_success": True,
        }
    )


def goals(*which: int) -> TaskSet:
    return TaskSet("reach", "test", {"goal": torch.tensor(which)[:, None]})


def judged(policy: Any, card: TaskCard, tasks: TaskSet, seen: PolicyInputs = SEES_REWARD) -> list[Evaluation]:
    return protocol.meta_test(policy, card, tasks, seen, 0, protocol.StepCounts())


# 1


def test_train_and_test_tasks_are_disjoint() -> None:
    card = catalogue.task("bandit-5")
    test = sampling.task_set(card, "test")
    leaked = TaskSet(
        card.id, "train", {"arm_means": torch.cat([torch.rand(10, 5), test.tasks["arm_means"][7:8]])}
    )
    with pytest.raises(CardError, match=r"1 train tasks are held-out tasks too \(the first is train\[10\]\)"):
        sampling.check_unseen(leaked, sampling.held_out(card))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_run_refuses_a_held_out_task_in_any_batch(
    split: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from metairl.experiments.run import execute

    card = catalogue.task("bandit-5")
    leak = sampling.task_set(card, split)[slice(3, 4)]["arm_means"]
    batches: list[int] = []

    def leaking(card: TaskCard, count: int, rng: torch.Generator) -> TaskSet:
        batches.append(count)
        drawn = torch.rand(count, 5, generator=rng)
        if len(batches) == 4:
            drawn[5] = leak
        return TaskSet(card.id, "train", {"arm_means": drawn})

    monkeypatch.setattr(sampling, "train_tasks", leaking)
    with pytest.raises(CardError, match=r"1 train tasks are held-out tasks too \(the first is train\[5\]\)"):
        execute(make_request("rl2", "bandit-5", steps=100_000), tmp_path, [])
    assert len(batches) == 4


def test_tasks_of_another_card_that_a_run_is_judged_on_are_held_out_too() -> None:
    card, larger = catalogue.task("snail-maze-grid"), catalogue.task("snail-maze-grid-large")
    leaked = TaskSet(card.id, "train", sampling.task_set(larger, "test")[slice(4, 5)])
    with pytest.raises(CardError, match="1 train tasks are held-out tasks too"):
        sampling.check_unseen(leaked, sampling.held_out(card))


def test_a_policy_that_spoils_the_tasks_it_is_told_spoils_no_later_judgement() -> None:
    card = catalogue.task("bandit-5")
    before = sampling.task_set(card, "test")
    before.tasks["arm_means"].zero_()
    assert sampling.task_set(card, "test").tasks["arm_means"].all()


# 2


def test_steps_after_the_last_episode_do_not_count() -> None:
    env = Reach(goals(0, 1).tasks, HORIZON, 2, stream("counts"))
    assert rollout_outcome(Always(), env, stream("act"), PolicyInputs()).mask.sum(1).tolist() == [
        2,
        2 * HORIZON,
    ]


class Whole:
    """A world whose lanes all go on until the last is done."""

    def __init__(self, env: Env):
        self.spec, self.lanes, self.task = env.spec, env.lanes, env.task
        self.reset, self.step = env.reset, env.step


@pytest.mark.parametrize(
    "method, task", [("shortest-path", "snail-maze-grid"), ("shortest-walk", "snail-maze")]
)
def test_going_on_without_idle_lanes_changes_nothing(method: str, task: str) -> None:
    asked = make_request(method, task)
    policy, _ = build(asked)
    tasks = sampling.task_set(asked.card, "validation").tasks
    seen = []
    for thins in (True, False):
        env = make(asked.card, tasks, stream("thin"))
        seen.append(rollout(policy, env if thins else Whole(env), stream("act"), PolicyInputs(task=True)))
    ours, whole = seen
    lived = whole.outcome.mask
    assert torch.equal(ours.outcome.mask, lived) and lived.sum(1).unique().numel() > 10
    assert torch.equal(ours.task, whole.task)
    for x, y in [
        (ours.obs, whole.obs),
        (ours.action, whole.action),
        *zip(vars(ours.outcome).values(), vars(whole.outcome).values(), strict=True),
    ]:
        assert torch.equal(x[lived], y[lived])
    idle = ours.outcome.reward[:, -1][~lived[:, -1]]
    assert (idle == 0).float().mean() > 0.5  # most were not stepped by then: a step costs


def pooled_first_finished(trial: Outcome, episodes: int) -> float:
    """Meta-World's official counting: the first episodes to finish, over all lanes of a task."""
    ends = trial.done.T.nonzero()[:episodes]  # in order of time
    return trial.success.T[ends[:, 0], ends[:, 1]].float().mean().item()


def test_competence_on_k_of_n_goals_scores_k_of_n(reach: TaskCard) -> None:
    evaluations = judged(Always(), reach, goals(0, 1, 2, 3))
    assert [np.mean(e.success) for e in evaluations] == [0.25, 0.25, 0.25]
    assert [np.mean(e.returns) for e in evaluations] == [0.25, 0.25, 0.25]
    assert evaluations[0].lengths == [1, HORIZON, HORIZON, HORIZON]
    assert evaluations[1].adapt_steps == 1 + 3 * HORIZON
    env = Reach(goals(0, 1, 2, 3).tasks, HORIZON, 3, stream("pooled"))
    assert pooled_first_finished(rollout_outcome(Always(), env, stream("act"), PolicyInputs()), 3) == 1.0


# 3


def test_hidden_reward_is_absent(reach: TaskCard) -> None:
    judged(Peeking(), reach, goals(0, 1))
    with pytest.raises((AssertionError, TypeError)):
        judged(Peeking(), reach, goals(0, 1), PolicyInputs(reward=False))


def test_hidden_reward_is_absent_from_whole_trials_too() -> None:
    env = Reach(goals(0, 1).tasks, HORIZON, 1, stream("hidden"))
    trial = rollout(Always(), env, stream("act"), PolicyInputs(reward=False))
    assert trial.context(PolicyInputs(reward=False)).prev_reward is None
    assert trial.context(PolicyInputs()).task is None


@pytest.mark.parametrize("name", METHODS)
def test_only_rows_that_say_so_are_told_the_task(name: str) -> None:
    method = find(name)
    told = policy_inputs(method, method.encoder, settings_type(method, method.encoder)()).task
    bounds = (
        "token-expert",
        "best-arm",
        "value-iteration",
        "shortest-path",
        "shortest-walk",
        "scripted",
        "point-expert",
        "optimal",
    )
    assert told == (name in bounds or method.encoder == "oracle")


def belief_of_a_held_out_task(cheats: bool) -> list[list[float]]:
    """PEARL's returns on held-out tasks, before and after all that training kept is spoilt."""
    tuned = make_request("pearl", "point-robot", steps=1000)
    small = replace(tuned.settings.recipe, tasks=8, trials=4, batch_tasks=4, batch=8, context=5)
    policy, recipe = build(replace(tuned, settings=replace(tuned.settings, recipe=small)))
    assert isinstance(recipe, OffPolicy)
    assert isinstance(policy, AgentPolicy)
    for _ in range(2):
        recipe.iterate(0.0)
    judged_policy = Cheating(policy, recipe) if cheats else policy
    found = []
    for _ in range(2):
        found += [e.returns for e in judge(tuned, judged_policy, "validation", protocol.StepCounts())[:1]]
        for values in recipe.replay.data.values():
            values.add_(100.0)
    return found


class Cheating:
    """Begins with what it believes of a training task, as a known implementation once did."""

    def __init__(self, honest: AgentPolicy, recipe: OffPolicy):
        self.honest, self.recipe = honest, recipe

    def initial(self, lanes: int) -> State:
        some = torch.zeros(lanes, dtype=torch.long)
        evidence = self.recipe.replay.sample_context(some, 5, 1, 1, stream("cheat"))
        encoder: Any = self.honest.agent.encoder
        return (encoder.infer_posterior(evidence)[0].detach(), *self.honest.initial(lanes)[1:])

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        return self.honest.act(context, state, rng)


def test_a_held_out_task_is_never_inferred_from_what_training_kept() -> None:
    before, after = belief_of_a_held_out_task(cheats=False)
    assert before == after
    before, after = belief_of_a_held_out_task(cheats=True)
    assert before != after


# 4


def trained(judging: Callable[[Any, Any], None]) -> dict[str, Tensor]:
    asked = make_request("rl2", "bandit-5", steps=3000)
    policy, recipe = build(asked)
    assert recipe is not None
    for _ in range(3):
        recipe.iterate(0.0)
        judging(asked, policy)
    return dict(recipe.state()["networks"])


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_judging_more_often_changes_nothing() -> None:
    torch.manual_seed(0)
    never = trained(lambda asked, policy: None)
    often = trained(lambda asked, policy: judge(asked, policy, "validation", protocol.StepCounts()) and None)
    assert same(never, often)


def test_a_judge_that_draws_from_trainings_stream_would_be_noticed() -> None:
    def greedy_judge(asked: Any, policy: Any) -> None:
        policy.agent.learner.policy.net[0].bias.data.add_(torch.randn(64) * 1e-3)

    assert not same(trained(lambda asked, policy: None), trained(greedy_judge))


# 5


def test_memory_survives_episodes_and_never_crosses_tasks(reach: TaskCard) -> None:
    # Acting by its step count, Counting tries goal 0 for three steps, then goal 1, and so on. The goal-1 lane
    # is solved by steps 4, 5 and 6 of the trial: three episodes only if the count goes on between them.
    first, second, third = judged(Counting(), reach, goals(1, 1))
    assert (first.lengths, second.lengths, third.lengths) == (4, 1, 1)
    assert [e.success for e in judged(Counting(), reach, goals(1, 1))] == [
        [1, 1]
    ] * 3  # a second trial starts anew


def test_memory_that_crosses_tasks_would_be_noticed(reach: TaskCard, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[State] = []

    def hoarding(policy: Any, env: Any, rng: Any, seen: Any) -> Outcome:
        hoarder = Counting()
        hoarder.initial = lambda lanes: kept[-1] if kept else (torch.zeros(lanes, dtype=torch.int64),)  # type: ignore
        trial = rollout_outcome(hoarder, env, rng, seen)
        kept.append((torch.full((env.lanes,), env.spec.steps + 4),))
        return trial

    monkeypatch.setattr(protocol, "rollout_outcome", hoarding)
    lengths = [judged(Counting(), reach, goals(1, 1))[0].lengths for _ in range(2)]
    assert lengths[0] != lengths[1]


# 6


class Scripted:
    """A recipe whose policy gets better and then worse."""

    def __init__(self) -> None:
        self.env_steps = 0
        self.gradient_steps = 0
        self.skill = iter([0.2, 0.9, 0.5])
        self.now = 0.0

    def iterate(self, progress: float) -> dict[str, float]:
        self.env_steps += 10
        self.now = next(self.skill)
        return {"loss": 0.0}

    @property
    def clock(self) -> int:
        return self.env_steps

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: dict[str, Any]) -> None: ...


def test_the_last_parameters_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The best are seen on the way, and are not what the run folder ends with."""
    from metairl.experiments import run

    recipe = Scripted()

    def worth_now(policy: Any, card: TaskCard, tasks: TaskSet, *rest: Any) -> list[Evaluation]:
        return [Evaluation(tasks.split, 1, "", recipe.env_steps, 0, 0, 10, [recipe.now], 10, None, {})]

    monkeypatch.setattr(run, "build", lambda asked: (Always(), recipe))
    monkeypatch.setattr(protocol, "meta_test", worth_now)
    run.execute(make_request("rl2", "bandit-5", steps=30), tmp_path, [])
    told = [r for r in RunFolder(tmp_path).records() if isinstance(r, Evaluation)]
    assert [(r.split, r.returns) for r in told] == [
        ("validation", [0.0]),
        ("validation", [0.2]),
        ("validation", [0.9]),
        ("validation", [0.5]),
        ("test", [0.5]),
    ]


def test_training_never_meets_the_test_split(tmp_path: Any) -> None:
    from metairl.experiments.run import execute

    seen: list[Any] = []

    class Sink:
        def start(self, run: dict[str, Any]) -> None: ...

        def write(self, record: Any) -> None:
            seen.append(record)

        def finish(self, status: str) -> None: ...

    execute(make_request("rl2", "bandit-5", steps=20_000), tmp_path, [Sink()])
    splits = [r.split for r in seen if isinstance(r, Evaluation)]
    assert splits[-1] == "test"
    assert set(splits[:-1]) == {"validation"}
    assert any(isinstance(r, Training) for r in seen)


# 7


SCORES = {name: score for name in catalogue.task_ids() if (score := catalogue.task(name).score)}
SCORED = [name for name, score in SCORES.items() if METHODS[score.expert_method].recipe is None]


LONG = {"snail-maze-large-v1"}  # a thousand mazes in first person, a thousand steps each


@pytest.mark.parametrize(
    "task", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in SCORED]
)
def test_expert_scores_one_and_random_zero(task: str) -> None:
    card = catalogue.task(task)
    assert card.score
    tasks = TaskSet(card.id, "test", sampling.task_set(card, "test")[slice(0, 400)])
    for method, expected in ((card.score.expert_method, 1.0), ("random", 0.0)):
        asked = make_request(method, task)
        seen = asked.inputs
        evaluations = protocol.meta_test(build(asked)[0], card, tasks, seen, 0, protocol.StepCounts())
        trial = np.sum([e.returns for e in evaluations], axis=0, dtype=float)
        score = [card.normalised(float(value), card.episodes) for value in trial]
        error = np.std(score, ddof=1) / np.sqrt(len(score))
        assert abs(np.mean(score) - expected) < 4 * error + 1e-9, (method, np.mean(score), error)


PAYS_AT_THE_GOAL = {"point-maze-v1"}  # alone, and chance does not find it


@pytest.mark.parametrize("task", sorted({*catalogue.task_ids()}.difference(SCORES)))
def test_tasks_without_an_expert_can_be_judged_too(task: str) -> None:
    card = catalogue.task(task)
    tasks = TaskSet(card.id, "test", sampling.task_set(card, "test")[slice(0, 2)])
    evaluations = protocol.meta_test(
        build(make_request("random", task))[0], card, tasks, PolicyInputs(), 0, protocol.StepCounts()
    )
    assert len(evaluations) == card.episodes
    assert all(np.isfinite(e.returns).all() and not e.diverged for e in evaluations)
    assert all(np.std(e.returns) > 0 for e in evaluations) or task in PAYS_AT_THE_GOAL
    assert card.normalised(1.0, 1) is None


# 8


def test_nan_stays_nan_and_ranks_last(reach: TaskCard) -> None:
    trial = rollout_outcome(
        Always(), Reach(goals(0, 1).tasks, HORIZON, 2, stream("nan")), stream("act"), PolicyInputs()
    )
    spoilt = replace(trial, reward=trial.reward.clone().index_fill(1, torch.tensor([0]), float("nan")))
    returns = protocol.by_episode(spoilt, 2)[0]
    assert returns[:, 0].isnan().all()
    assert not returns[:, 1].isnan().any()
    evaluation = replace(judged(Always(), reach, goals(0))[0], returns=[float("nan"), 1.0])
    again = from_line(to_line(evaluation), "here")
    assert isinstance(again, Evaluation)
    assert np.isnan(again.returns[0]) and again.returns[1] == 1.0
    assert rank({"diverged": float("nan"), "bad": -5.0, "good": 1.0}) == ["good", "bad", "diverged"]


def test_later_episodes_and_their_nans_do_not_count() -> None:
    def columns() -> Iterator[Tensor]:
        yield torch.tensor([[1.0, 2.0, float("nan")]])
        yield torch.tensor([[True, True, True]])

    reward, done = columns()
    blank = torch.zeros(1, 3, dtype=torch.bool)
    trial = Outcome(reward, done, done, blank, torch.tensor([[True, True, False]]), blank)
    returns, lengths, _, _ = protocol.by_episode(trial, 2)
    assert returns.tolist() == [[1.0, 2.0]]
    assert lengths.tolist() == [[1, 1]]
