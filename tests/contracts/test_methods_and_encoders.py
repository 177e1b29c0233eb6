"""One contract over every registry entry: a new line in METHODS or ENCODERS is tested by being there."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from resuming import saved, snapshot
from torch import Tensor

from metairl.agents.agent import Agent, AgentPolicy
from metairl.agents.encoders import ENCODERS
from metairl.agents.rl import ppo
from metairl.core.errors import UsageError
from metairl.core.rng import stream
from metairl.core.types import Batch, Context, EncodedTrial, Outcome, PolicyInputs, Spec, Trial
from metairl.envs import ENVS
from metairl.evaluation.protocol import StepCounts, meta_test
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request
from metairl.methods.build import policy_inputs
from metairl.methods.method import Method
from metairl.methods.registry import METHODS, find
from metairl.methods.requirements import check_env, choose_encoder
from metairl.methods.settings import settings_from
from metairl.tasks import catalogue, sampling
from metairl.training import (
    dynamics_ensemble,
    off_policy,
    offline,
    offline_preferences,
    on_policy,
    preferences,
    self_play,
    uniform_goals,
    visited_goals,
)

TASKS = ("bandit-5:pulls=6", "tabular-mdp:episodes=2", "point-robot")
SKILLED = "mt10:horizon=20"  # for what works on cards with several skills alone
LOGGED = "point-robot:data=replay,comparisons=2"
SPEC = Spec(obs=3, actions=4, discrete=True, horizon=4, episodes=2, params=5)
FEW: dict[str, dict[str, object]] = {
    "mopo": {"rollouts": 40, "rounds": 3, "model": dynamics_ensemble.Config(hidden=(8,), epochs=1)},
    "preferences-iql": {"queries": offline_preferences.QueriesConfig(labels=40, gradient_steps=5, length=4)},
}
LANES, STEPS = 6, SPEC.steps
FEW_QUESTIONS = {"labels": 20, "gradient_steps": 5}
LITTLE = {"tasks": 12, "trials": 4, "ratio": 0.02, "batch_tasks": 6, "batch": 8}
SMALL: dict[type, dict[str, object]] = {  # what is tested here does not need more
    on_policy.Config: {"trials": 24, "epochs": 2, "minibatches": 2},
    off_policy.Config: LITTLE | {"context": 5},
    preferences.Config: {"trials": 8},
    preferences.OffPolicyConfig: LITTLE,
    self_play.Config: {"trials": 8},
    uniform_goals.Config: {"trials": 8},
    visited_goals.Config: {"trials": 8},
}


def every_regime() -> Iterator[Method]:
    for method in METHODS.values():
        for regime in method.regimes:
            yield method.under(regime)


def combinations() -> Iterator[tuple[Method, str | None, str]]:
    for task in TASKS:
        env = catalogue.task(task).world
        for method in every_regime():
            possible = not method.envs or env in method.envs
            if possible and method.support not in ("logs", "goals", "demos"):
                for encoder in ENCODERS if method.any_encoder else (method.encoder,):
                    if catalogue.task(task).episodes > 1 or (encoder != "pearl" and method.name != "maml"):
                        yield method, encoder, task
    for method in METHODS.values():
        if method.envs == (catalogue.task(SKILLED).world,):
            yield method, method.encoder, SKILLED


def offline_combinations() -> Iterator[tuple[Method, str]]:
    env = catalogue.task(LOGGED).world
    for method in every_regime():
        if method.support == "logs" and (not method.envs or env in method.envs):
            own = tuple(ENCODERS) if method.any_encoder else (str(method.encoder),)
            for encoder in method.encoders or own:
                yield method, encoder


def trained() -> Iterator[tuple[Method, str | None, str]]:
    """Every (learner, recipe, encoder) on every kind of environment, once: `rl2` is one of them."""
    seen = set()
    for method, encoder, task in combinations():
        parts = (method.learner, method.recipe, method.pretrains, encoder, task)
        if method.recipe and parts not in seen:
            seen.add(parts)
            yield method, encoder, task


def named(value: object) -> str | None:
    return value.label if isinstance(value, Method) else None


TRAINED = list(trained())


def context(inputs: PolicyInputs = PolicyInputs(task=True)) -> Context:  # noqa: B008
    rng = stream("contract")
    trial = Trial(
        obs=torch.randn(LANES, STEPS, SPEC.obs, generator=rng),
        action=torch.randint(SPEC.actions, (LANES, STEPS), generator=rng),
        outcome=Outcome(
            reward=torch.randn(LANES, STEPS, generator=rng),
            done=torch.arange(STEPS).expand(LANES, STEPS) % SPEC.horizon == SPEC.horizon - 1,
            terminated=torch.zeros(LANES, STEPS, dtype=torch.bool),
            success=torch.zeros(LANES, STEPS, dtype=torch.bool),
            mask=torch.ones(LANES, STEPS, dtype=torch.bool),
            diverged=torch.zeros(LANES, STEPS, dtype=torch.bool),
        ),
        task=torch.randn(LANES, SPEC.params, generator=rng),
        actions=SPEC.actions,
        noise=torch.randn(LANES, SPEC.episodes, 5, generator=rng).repeat_interleave(SPEC.horizon, 1),
    )
    return trial.context(inputs)


def part(c: Context, steps: slice) -> Context:
    assert c.prev_reward is not None
    return replace(c, **{name: x[:, steps] for name, x in through_time(c).items()})


def variants() -> Iterator[tuple[str, dict[str, object]]]:
    for name in ENCODERS:
        yield name, {}
    yield "rl2", {"pairs": True, "recall": 3, "remember": 2.0}
    yield "rl2", {"beside": True}
    yield "oracle", {"embed": 3}
    yield "rl2", {"cell": "lstm"}
    yield "rl2", {"cell": "lstm", "pairs": True}


@pytest.fixture(params=list(variants()), ids=str)
def encoder(request: pytest.FixtureRequest) -> torch.nn.Module:
    name, settings = request.param
    part = ENCODERS[name]
    torch.manual_seed(0)
    module: torch.nn.Module = part.cls(SPEC, replace(part.config, **settings))
    return module


def test_one_step_at_a_time_equals_the_whole_trial(encoder: torch.nn.Module) -> None:
    c = context()
    whole = encoder(c, encoder.initial(LANES)).z
    assert whole.shape == (LANES, STEPS, encoder.width)
    state = encoder.initial(LANES)
    for t in range(STEPS):
        encoding = encoder(part(c, slice(t, t + 1)), state)
        state = encoding.state
        torch.testing.assert_close(encoding.z[:, 0], whole[:, t], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name, part in ENCODERS.items() if not part.cls.sees_task])
def test_pictures_are_read_one_step_at_a_time_too(name: str) -> None:
    known = ENCODERS[name]
    encoder = known.cls(replace(SPEC, obs=3 * 13 * 17, picture=(3, 13, 17)), known.config)
    pictures = torch.randint(256, (LANES, STEPS, 3 * 13 * 17), dtype=torch.uint8)
    c = replace(context(), obs=pictures)
    whole = encoder(c, encoder.initial(LANES)).z
    state = encoder.initial(LANES)
    for t in range(STEPS):
        encoding = encoder(part(c, slice(t, t + 1)), state)
        state = encoding.state
        torch.testing.assert_close(encoding.z[:, 0], whole[:, t], atol=1e-5, rtol=1e-5)
    check_parts(encoder, c)


def check_parts(encoder: torch.nn.Module, c: Context) -> None:
    """Working through uneven trials in parts changes nothing."""
    lengths = torch.tensor([8, 1, 5, 2, 8, 3])
    agent = Agent(
        encoder, find("ppo").learner.cls(SPEC, encoder.width, ppo.Config()), "trial", PolicyInputs()
    )
    lived = torch.arange(STEPS) < lengths.unsqueeze(1)
    encoder.length_buckets = 3
    whole = encoder(c, encoder.initial(LANES)).z
    z, aux = agent._encode(c, lengths)
    torch.testing.assert_close(z[lived], whole[lived])
    assert not z[lengths == 2, 2:].any()
    assert aux.shape == ()


def test_working_through_uneven_trials_in_parts_changes_nothing(encoder: torch.nn.Module) -> None:
    check_parts(encoder, context())


def test_what_follows_the_last_episode_is_not_learned_from() -> None:
    ppo_part = METHODS["ppo"].learner
    learner = ppo_part.cls(SPEC, 4, replace(ppo_part.config, gamma=0.9))
    lived = torch.arange(STEPS) < STEPS - 3
    mask = lived.expand(LANES, STEPS).float()
    continues = (torch.arange(STEPS) < STEPS - 4).expand(LANES, STEPS).float()
    z, reward = torch.randn(LANES, STEPS, 4), torch.randn(LANES, STEPS)
    action = torch.randint(SPEC.actions, (LANES, STEPS))
    losses = []
    for after in (0.0, 100.0):
        learner.value.mean.zero_()
        learner.value.std.fill_(1.0)
        z_, r = z + after * ~lived[None, :, None], reward + after * ~lived
        f = EncodedTrial(z_, action, r, continues, mask, torch.zeros(LANES, STEPS))
        losses.append(learner.losses(f, learner.targets(f, 0.5)))
    for name, loss in losses[0].items():
        torch.testing.assert_close(loss, losses[1][name])


def test_the_future_does_not_matter(encoder: torch.nn.Module) -> None:
    c = context()
    other = replace(
        c,
        **{name: torch.cat([x[:, :5], torch.randn_like(x[:, 5:])], 1) for name, x in through_time(c).items()},
    )
    before, after = (encoder(x, encoder.initial(LANES)).z for x in (c, other))
    torch.testing.assert_close(before[:, :5], after[:, :5])


def test_lanes_do_not_mix(encoder: torch.nn.Module) -> None:
    c = context()
    together = encoder(c, encoder.initial(LANES)).z
    torch.testing.assert_close(
        encoder(c[torch.tensor([2])], encoder.initial(1)).z[0], together[2], atol=1e-6, rtol=1e-5
    )


def test_memory_is_lanes_first_and_starts_empty(encoder: torch.nn.Module) -> None:
    for memory in encoder.initial(LANES):
        assert len(memory) == LANES
        assert not memory.any()


def through_time(c: Context) -> dict[str, Tensor]:
    return {name: x for name, x in vars(c).items() if x is not None and name != "task"}


@pytest.mark.parametrize("method, encoder, task", list(combinations()), ids=named)
def test_every_combination_is_judged(method: Method, encoder: str | None, task: str) -> None:
    asked = make_request(method, task, encoder)
    card = asked.card
    few = sampling.TaskSet(card.id, "validation", sampling.sample_tasks(card, 20, stream("few")))
    seen = policy_inputs(method, asked.encoder, asked.settings)
    first, again = (meta_test(build(asked)[0], card, few, seen, 0, StepCounts()) for _ in range(2))
    assert [e.returns for e in first] == [e.returns for e in again]
    assert len(first) == card.episodes
    assert all(e.lengths == card.horizon for e in first)


@pytest.mark.parametrize("method, encoder, task", TRAINED, ids=named)
def test_training_moves_every_network_and_resumes_bit_for_bit(
    method: Method, encoder: str, task: str
) -> None:
    tuned = make_request(method, task, encoder, steps=10_000 if method.pretrains else None)
    recipe = replace(tuned.settings.recipe, **SMALL[type(tuned.settings.recipe)])
    if hasattr(recipe, "ask"):
        recipe = replace(recipe, queries=replace(recipe.queries, **FEW_QUESTIONS))
    asked = replace(tuned, settings=replace(tuned.settings, recipe=recipe))
    _, straight = build(asked)
    assert straight is not None
    start = snapshot(straight.state()["networks"])
    straight.iterate(0.0)
    halfway = torch.load(saved(straight.state()), weights_only=True)
    metrics = straight.iterate(0.5)
    assert all(value == value for value in metrics.values())
    moved = {key for key, value in straight.state()["networks"].items() if not torch.equal(value, start[key])}
    blind = encoder == "none" and asked.card.world == "bandit"  # a bandit's one observation is zero
    assert blind or moved == set(start)
    _, resumed = build(asked)
    assert resumed is not None
    resumed.load(halfway)
    resumed.iterate(0.5)
    ends = straight.state()["networks"], resumed.state()["networks"]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in start)


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("method, encoder", list(offline_combinations()), ids=named)
def test_what_learns_from_logs_moves_every_network_resumes_bit_for_bit_and_is_judged(
    method: Method, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline, "ROUNDS", 3)
    tuned = make_request(method, LOGGED, encoder)
    small = replace(tuned.settings.recipe, batch_tasks=4, batch=4, context=8, **FEW.get(method.name, {}))
    asked = replace(tuned, settings=replace(tuned.settings, recipe=small))
    policy, straight = build(asked)
    assert straight is not None
    start = snapshot(straight.networks.state_dict())
    straight.iterate(0.0)
    halfway = torch.load(saved(straight.state()), weights_only=True)
    assert all(value == value for value in straight.iterate(0.5).values())
    ends = straight.networks.state_dict()
    assert {key for key, value in ends.items() if not torch.equal(value, start[key])} == set(start)
    assert straight.clock == straight.gradient_steps == 6 and straight.env_steps == 0
    _, resumed = build(asked)
    assert resumed is not None
    resumed.load(halfway)
    resumed.iterate(0.5)
    assert all(torch.equal(ends[key], value) for key, value in resumed.networks.state_dict().items())
    first, again = (judge(asked, policy, "validation", StepCounts()) for _ in range(2))
    assert [e.returns for e in first] == [e.returns for e in again]
    assert len(first) == asked.card.episodes and len(first[0].returns) == asked.card.split.validation


@pytest.mark.usefixtures("logged")
def test_support_is_of_the_judged_tasks_in_their_order_and_reward_is_absent_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = make_request("iql", LOGGED, "pearl", steps=0)
    policy, _ = build(asked)
    given: list[Tensor] = []
    inform = AgentPolicy.conditioned_on

    def noted(self: AgentPolicy, support: Batch) -> object:
        given.append(support.task)
        return inform(self, support)

    monkeypatch.setattr(AgentPolicy, "conditioned_on", noted)
    judge(asked, policy, "test", StepCounts())
    tasks = sampling.task_set(asked.card, "test").tasks["goal"]
    torch.testing.assert_close(given[0], tasks.to(given[0]))
    assert not asked.inputs.reward and not asked.inputs.task
    with pytest.raises(UsageError, match="infers tasks from their logs, and 'point-robot-v1' has none"):
        judge(asked, policy, "test", StepCounts(), catalogue.task("point-robot"))


def test_combinations_that_cannot_work_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"no method 'rl3'; did you mean 'rl2'\?"):
        find("rl3")
    with pytest.raises(UsageError, match="method 'thompson' uses no encoder"):
        choose_encoder(find("thompson"), "rl2")
    with pytest.raises(UsageError, match=r"no encoder 'rl1'; did you mean 'rl2'\?"):
        choose_encoder(find("ppo"), "rl1")
    with pytest.raises(
        UsageError, match=r"always uses encoder 'pearl'; to use encoder 'rl2', choose method ppo or sac$"
    ):
        choose_encoder(find("pearl"), "rl2")
    with pytest.raises(
        UsageError, match="'sac' does not run on bandit tasks such as 'bandit-5-v1'; try ppo, rl2, snail"
    ):
        make_request("sac", "bandit-5")
    with pytest.raises(
        UsageError, match="encoder 'pearl' adapts between episodes and needs at least 2; try another task"
    ):
        make_request("ppo", "bandit-5", "pearl")
    with pytest.raises(UsageError, match="say which: point-robot-v1:data=replay"):
        make_request("iql", "point-robot")
    assert make_request("iql", "point-robot:data=replay,episodes=1", "pearl").card.episodes == 1
    with pytest.raises(UsageError, match="learns from logs, and 'bandit-5-v1' has none"):
        make_request("bc", "bandit-5")
    for part, key, value in (("recipe", "tasks", 0), ("recipe", "segment", 0), ("learner", "hidden", (8, 0))):
        settings = settings_from(find("rl2-sac"), "rl2", {part: {key: value}}, "here")
        with pytest.raises(UsageError, match=rf"{part}\.{key} must be 1 or more"):
            make_request("rl2-sac", "point-robot", settings=settings)
    with pytest.raises(UsageError, match="'ucb1' does not run on tabular tasks such as 'tabular-mdp-v1'"):
        check_env(find("ucb1"), catalogue.task("tabular-mdp"))


@pytest.mark.parametrize("name", sorted({catalogue.task(name).world for name in catalogue.task_ids()}))
def test_every_world_a_card_names_exists(name: str) -> None:
    assert name in ENVS
