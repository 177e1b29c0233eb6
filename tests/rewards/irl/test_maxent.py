"""Gradients against finite differences, the prior, and what a network can say that weights cannot."""

import pytest
import torch
from torch import Tensor

from metairl.agents.exact.planning import HARD, SOFT, plan, value_of, visits
from metairl.core.rng import stream
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.rewards.irl import deep_maxent, maxent
from metairl.rewards.irl.gradient_ascent import Evidence, Model, accumulate_gradient
from metairl.rewards.irl.solution import demo_visits, feature_sums, with_demo_starts
from metairl.tasks import finite_mdps
from metairl.training import irl_prior

HORIZON, SIDE, KINDS = 6, 4, 3
SPEC = Spec(SIDE**2, 5, True, HORIZON, 1, 0, finite_mdp="gridworld", features=KINDS)


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
    apart = (soft * began.start).sum(1) - (demo_visits(chart, shown) * reward).sum(1)
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
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 5)
    _, model, rewards = next(found for found in models() if found[0] == name)
    accumulate_gradient(model, rewards, Evidence.of(made.mdp, shown))

    def whole() -> float:
        with torch.no_grad():
            return float((loss(made.mdp, shown, rewards(made.mdp.features)) + model.prior(rewards)).sum())

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
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 7)
    for reward in (made.reward, torch.randn_like(made.reward)):
        torch.testing.assert_close(loss(made.mdp, shown, reward), -log_likelihood(made.mdp, shown, reward))


def test_with_chance_it_is_so_on_average() -> None:
    made = env(1, 0.4)
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 4000)
    mean = loss(made.mdp, shown, made.reward) / 4000
    assert mean.item() == pytest.approx(-log_likelihood(made.mdp, shown, made.reward).item() / 4000, rel=0.02)


def test_many_soft_demonstrations_give_the_weights_back() -> None:
    made = env(4, 0.2)
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 2000)
    found = maxent.MaxEnt(SPEC, maxent.Config(precision=1e-6)).fit(made.mdp, shown)
    assert found.reward is not None
    apart = (found.reward - found.reward.mean(1, keepdim=True)) - (
        made.reward - made.reward.mean(1, keepdim=True)
    )
    assert apart.abs().max() < 0.25
    assert found.rounds[-1]["gap"].max() < 0.6 < found.rounds[0]["gap"].max()
    best = plan(made.mdp, made.reward, HORIZON, HARD).policy
    diverged = value_of(made.mdp, made.reward, best) - value_of(made.mdp, made.reward, found.policy)
    assert diverged.max() < 0.05


def test_what_is_expected_of_the_found_reward_is_what_was_shown() -> None:
    made = env(3, 0.2)
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 50)
    model = maxent.MaxEnt(SPEC, maxent.Config(precision=1e-6, tolerance=1e-4, rounds=1000))
    found = model.fit(made.mdp, shown)
    assert found.reward is not None
    began = with_demo_starts(made.mdp, shown)
    policy = plan(began, found.reward, HORIZON, SOFT).policy
    expected = feature_sums(made.mdp, visits(began, policy))
    told = feature_sums(made.mdp, demo_visits(made.mdp, shown))
    torch.testing.assert_close(expected, told, atol=2e-4, rtol=0)


def test_a_strong_prior_stays_and_a_weak_one_gives_way() -> None:
    made = env(2, 0.2)
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, HARD).policy, 3)
    sizes = []
    for precision in (1e6, 10.0, 0.1):
        found = maxent.MaxEnt(SPEC, maxent.Config(precision=precision)).fit(made.mdp, shown)
        assert found.reward is not None
        sizes.append(found.reward.abs().max().item())
    assert sizes[0] < 1e-3 < sizes[0] * 100 < sizes[1] < sizes[2]


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_tasks_are_explained_apart(name: str) -> None:
    made = env(3, 0.2)
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, HARD).policy, 4)
    torch.manual_seed(0)
    model = (
        maxent.MaxEnt(SPEC, maxent.Config(rounds=20))
        if name == "linear"
        else deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(rounds=20, hidden=(4,)))
    )
    together = model.fit(made.mdp, shown).reward
    one = torch.tensor([1])
    alone = model.fit(made.mdp[one], Demonstrations(shown.states[one], shown.actions[one])).reward
    assert together is not None and alone is not None
    torch.testing.assert_close(alone[0], together[1])


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_a_prior_of_other_tasks_helps_with_one_demonstration(name: str) -> None:
    """Thirty training tasks whose weights are the same; then one demonstration each of eight others."""
    many, few = env(30, 0.2, seed=1), env(8, 0.2, seed=2)
    seen = lived(many.mdp, plan(many.mdp, many.reward, HORIZON, HARD).policy, 20, seed=1)
    shown = lived(few.mdp, plan(few.mdp, few.reward, HORIZON, HARD).policy, 1, seed=2)
    torch.manual_seed(0)
    model: maxent.MaxEnt | deep_maxent.DeepMaxEnt = (
        maxent.MaxEnt(SPEC, maxent.Config())
        if name == "linear"
        else deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(hidden=(8,), rounds=100))
    )
    scratch = model.fit(few.mdp, shown)
    recipe = irl_prior.IRLPrior(model, many.mdp, seen, irl_prior.Config(rate=0.05, rounds=10), seed=0)
    first = recipe.iterate(0.0)
    for _ in range(20):
        last = recipe.iterate(0.0)
    assert last["gap"] < first["gap"] and recipe.clock == 210
    learned = model.fit(few.mdp, shown)
    best = value_of(few.mdp, few.reward, plan(few.mdp, few.reward, HORIZON, HARD).policy)
    diverged = [
        (best - value_of(few.mdp, few.reward, found.policy)).mean().item() for found in (scratch, learned)
    ]
    assert diverged[1] < 0.5 * diverged[0]


def test_a_prior_resumes_where_it_stopped() -> None:
    made = env(4, 0.2)
    shown = lived(made.mdp, plan(made.mdp, made.reward, HORIZON, HARD).policy, 3)

    def fresh() -> irl_prior.IRLPrior:
        return irl_prior.IRLPrior(
            maxent.MaxEnt(SPEC, maxent.Config()), made.mdp, shown, irl_prior.Config(rounds=10), 0
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
