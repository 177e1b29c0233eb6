"""Gradients against finite differences, the prior, and what a network can say that weights cannot."""

import pytest
import torch
from torch import Tensor

from metairl.agents.exact.planning import HARD, SOFT, plan, value_of, visits
from metairl.core.rng import stream
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl import deep_maxent, maxent
from metairl.rewards.irl.gradient_ascent import ExpertStatistics, Model, accumulate_maxent_gradient
from metairl.rewards.irl.solution import expert_visitation, feature_expectations, with_demo_starts
from metairl.tasks import finite_mdps
from metairl.training import irl_prior

HORIZON, SIDE, KINDS = 6, 4, 3
SPEC = Spec(SIDE**2, 5, True, HORIZON, 1, 0, chart="gridworld", features=KINDS)


def env(lanes: int, noise: float, seed: int = 0) -> finite_mdps.FiniteMDPTask:
    rng = stream("maxent", seed)
    parameters = torch.rand(lanes, SIDE**2 + 1 + KINDS, generator=rng, dtype=torch.float64)
    parameters[:, SIDE**2] = noise
    parameters[:, SIDE**2 + 1 :] = torch.tensor([1.0, 0.0, -1.0])
    return finite_mdps.gridworld(parameters, SIDE**2, 5)


def lived(chart: FiniteMDP, policy: Tensor, count: int, seed: int = 0) -> Demonstrations:
    rng = stream("maxent", "lived", seed)
    wide = torch.arange(len(chart)).repeat_interleave(count)
    chart, policy = chart[wide], policy[wide]
    lane = torch.arange(len(wide))
    state = torch.multinomial(chart.start, 1, generator=rng).squeeze(1)
    states, actions = [], []
    for step in range(policy.shape[1]):
        action = torch.multinomial(policy[lane, step, state], 1, generator=rng).squeeze(1)
        states.append(state)
        actions.append(action)
        led = torch.multinomial(chart.probs_at(state, action), 1, generator=rng).squeeze(1)
        state = chart.successors[lane, state, led]
    return Demonstrations(*(torch.stack(x, 1).view(-1, count, policy.shape[1]) for x in (states, actions)))


def loss(chart: FiniteMDP, shown: Demonstrations, reward: Tensor) -> Tensor:
    """n (V(ρ) − D_E · r), written out, [B]."""
    began = with_demo_starts(chart, shown)
    soft = plan(began, reward, HORIZON, SOFT).value[:, 0]
    apart = (soft * began.start).sum(1) - (expert_visitation(chart, shown) * reward).sum(1)
    return shown.states.shape[1] * apart


def log_likelihood(chart: FiniteMDP, shown: Demonstrations, reward: Tensor) -> Tensor:
    policy = plan(chart, reward, HORIZON, SOFT).policy
    lane = torch.arange(len(chart)).view(-1, 1, 1)
    step = torch.arange(HORIZON).view(1, 1, -1)
    return policy[lane, step, shown.states, shown.actions].log().sum((1, 2))


def models() -> list[tuple[str, Model, torch.nn.Module]]:
    torch.manual_seed(0)
    linear = maxent.MaxEnt(SPEC, maxent.Config())
    deep = deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(hidden=(4,)))
    weights = maxent.Weights(torch.zeros(KINDS, dtype=torch.float64), 2)
    torch.nn.init.normal_(weights.w)
    networks = deep.first.copies(2)
    for weight in networks.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    return [("linear", linear, weights), ("deep", deep, networks)]


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    made = env(2, 0.3)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, SOFT).policy, 5)
    _, model, rewards = next(found for found in models() if found[0] == name)
    accumulate_maxent_gradient(model, rewards, ExpertStatistics.of(made.chart, shown))

    def whole() -> float:
        with torch.no_grad():
            return float((loss(made.chart, shown, rewards(made.chart.features)) + model.prior(rewards)).sum())

    for weight in rewards.parameters():
        assert weight.grad is not None
        flat, slope = weight.data.view(-1), weight.grad.view(-1)
        for place in range(0, len(flat), 3):
            at, size = flat[place].item(), 1e-5
            flat[place] = at + size
            above = whole()
            flat[place] = at - size
            below = whole()
            flat[place] = at
            assert slope[place].item() == pytest.approx((above - below) / (2 * size), abs=1e-5)


def test_without_chance_it_is_the_likelihood_of_what_was_shown() -> None:
    made = env(3, 0.0)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, SOFT).policy, 7)
    for reward in (made.reward, torch.randn_like(made.reward)):
        torch.testing.assert_close(
            loss(made.chart, shown, reward), -log_likelihood(made.chart, shown, reward)
        )


def test_with_chance_it_is_so_on_average() -> None:
    made = env(1, 0.4)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, SOFT).policy, 4000)
    mean = loss(made.chart, shown, made.reward) / 4000
    assert mean.item() == pytest.approx(
        -log_likelihood(made.chart, shown, made.reward).item() / 4000, rel=0.02
    )


def test_many_soft_demonstrations_give_the_weights_back() -> None:
    made = env(4, 0.2)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, SOFT).policy, 2000)
    found = maxent.MaxEnt(SPEC, maxent.Config(precision=1e-6)).fit(made.chart, shown)
    assert found.reward is not None
    apart = (found.reward - found.reward.mean(1, keepdim=True)) - (
        made.reward - made.reward.mean(1, keepdim=True)
    )
    assert apart.abs().max() < 0.25
    assert found.rounds[-1]["gap"].max() < 0.6 < found.rounds[0]["gap"].max()
    best = plan(made.chart, made.reward, HORIZON, HARD).policy
    diverged = value_of(made.chart, made.reward, best) - value_of(made.chart, made.reward, found.policy)
    assert diverged.max() < 0.05


def test_what_is_expected_of_the_found_reward_is_what_was_shown() -> None:
    made = env(3, 0.2)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, SOFT).policy, 50)
    model = maxent.MaxEnt(SPEC, maxent.Config(precision=1e-6, tolerance=1e-4, rounds=1000))
    found = model.fit(made.chart, shown)
    assert found.reward is not None
    began = with_demo_starts(made.chart, shown)
    policy = plan(began, found.reward, HORIZON, SOFT).policy
    expected = feature_expectations(made.chart, visits(began, policy))
    told = feature_expectations(made.chart, expert_visitation(made.chart, shown))
    torch.testing.assert_close(expected, told, atol=2e-4, rtol=0)


def test_a_strong_prior_stays_and_a_weak_one_gives_way() -> None:
    made = env(2, 0.2)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, HARD).policy, 3)
    sizes = []
    for precision in (1e6, 10.0, 0.1):
        found = maxent.MaxEnt(SPEC, maxent.Config(precision=precision)).fit(made.chart, shown)
        assert found.reward is not None
        sizes.append(found.reward.abs().max().item())
    assert sizes[0] < 1e-3 < sizes[0] * 100 < sizes[1] < sizes[2]


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_tasks_are_explained_apart(name: str) -> None:
    made = env(3, 0.2)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, HARD).policy, 4)
    torch.manual_seed(0)
    model = (
        maxent.MaxEnt(SPEC, maxent.Config(rounds=20))
        if name == "linear"
        else deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(rounds=20, hidden=(4,)))
    )
    together = model.fit(made.chart, shown).reward
    one = torch.tensor([1])
    alone = model.fit(made.chart[one], Demonstrations(shown.states[one], shown.actions[one])).reward
    assert together is not None and alone is not None
    torch.testing.assert_close(alone[0], together[1])


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_a_prior_of_other_tasks_helps_with_one_demonstration(name: str) -> None:
    """Thirty training tasks whose weights are the same; then one demonstration each of eight others."""
    many, few = env(30, 0.2, seed=1), env(8, 0.2, seed=2)
    seen = lived(many.chart, plan(many.chart, many.reward, HORIZON, HARD).policy, 20, seed=1)
    shown = lived(few.chart, plan(few.chart, few.reward, HORIZON, HARD).policy, 1, seed=2)
    torch.manual_seed(0)
    model: maxent.MaxEnt | deep_maxent.DeepMaxEnt = (
        maxent.MaxEnt(SPEC, maxent.Config())
        if name == "linear"
        else deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(hidden=(8,), rounds=100))
    )
    scratch = model.fit(few.chart, shown)
    recipe = irl_prior.IRLPrior(
        model, many.chart, seen, irl_prior.Config(learning_rate=0.05, rounds=10), seed=0
    )
    first = recipe.iterate(0.0)
    for _ in range(20):
        last = recipe.iterate(0.0)
    assert last["gap"] < first["gap"] and recipe.clock == 210
    learned = model.fit(few.chart, shown)
    best = value_of(few.chart, few.reward, plan(few.chart, few.reward, HORIZON, HARD).policy)
    diverged = [
        (best - value_of(few.chart, few.reward, found.policy)).mean().item() for found in (scratch, learned)
    ]
    assert diverged[1] < 0.5 * diverged[0]


def test_a_prior_resumes_where_it_stopped() -> None:
    made = env(4, 0.2)
    shown = lived(made.chart, plan(made.chart, made.reward, HORIZON, HARD).policy, 3)

    def fresh() -> irl_prior.IRLPrior:
        return irl_prior.IRLPrior(
            maxent.MaxEnt(SPEC, maxent.Config()), made.chart, shown, irl_prior.Config(rounds=10), 0
        )

    whole, part = fresh(), fresh()
    for _ in range(4):
        whole.iterate(0.0)
    part.iterate(0.0)
    again = fresh()
    again.load(part.state())
    for _ in range(3):
        again.iterate(0.0)
    for name, value in whole.networks.state_dict().items():
        assert torch.equal(value, again.networks.state_dict()[name]), name
    assert again.clock == whole.clock == 40
