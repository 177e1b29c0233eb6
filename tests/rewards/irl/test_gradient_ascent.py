"""The loss of maximum-entropy IRL: its gradient by finite differences, and its relation to the likelihood."""

import pytest
import torch
from gridworlds import HORIZON, KINDS, SPEC, gridworlds, sample_demonstrations
from torch import Tensor

from metairl.agents.exact.planning import HARD, SOFT, plan
from metairl.core.types import Demonstrations, FiniteMDP
from metairl.rewards.irl import deep_maxent, maxent
from metairl.rewards.irl.gradient_ascent import ExpertStatistics, Model, accumulate_maxent_gradient
from metairl.rewards.irl.solution import expert_visitation, with_demo_starts


def loss(mdps: FiniteMDP, demos: Demonstrations, reward: Tensor) -> Tensor:
    """n (V(ρ) − D_E · r), written out, [B]."""
    starts = with_demo_starts(mdps, demos)
    value = plan(starts, reward, HORIZON, SOFT).value[:, 0]
    difference = (value * starts.start).sum(1) - (expert_visitation(mdps, demos) * reward).sum(1)
    return demos.states.shape[1] * difference


def log_likelihood(mdps: FiniteMDP, demos: Demonstrations, reward: Tensor) -> Tensor:
    policy = plan(mdps, reward, HORIZON, SOFT).policy
    lane = torch.arange(len(mdps)).view(-1, 1, 1)
    step = torch.arange(HORIZON).view(1, 1, -1)
    return policy[lane, step, demos.states, demos.actions].log().sum((1, 2))


def model_and_rewards(name: str) -> tuple[Model, torch.nn.Module]:
    """With random reward parameters of two tasks."""
    torch.manual_seed(0)
    if name == "linear":
        weights = maxent.Weights(torch.zeros(KINDS, dtype=torch.float64), 2)
        torch.nn.init.normal_(weights.w)
        return maxent.MaxEnt(SPEC, maxent.Config()), weights
    deep = deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(hidden=(4,)))
    networks = deep.first.copies(2)
    for weight in networks.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    return deep, networks


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_gradient_matches_finite_differences(name: str) -> None:
    made = gridworlds(2, 0.3)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 5)
    model, rewards = model_and_rewards(name)
    accumulate_maxent_gradient(model, rewards, ExpertStatistics.of(made.mdp, demos))

    def total_loss() -> float:
        with torch.no_grad():
            return float((loss(made.mdp, demos, rewards(made.mdp.features)) + model.prior(rewards)).sum())

    for weight in rewards.parameters():
        assert weight.grad is not None
        values, gradient = weight.data.view(-1), weight.grad.view(-1)
        for index in range(0, len(values), 3):
            value, step = values[index].item(), 1e-5
            values[index] = value + step
            above = total_loss()
            values[index] = value - step
            below = total_loss()
            values[index] = value
            assert gradient[index].item() == pytest.approx((above - below) / (2 * step), abs=1e-5)


def test_loss_is_the_negative_log_likelihood_with_deterministic_dynamics() -> None:
    made = gridworlds(3, 0.0)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 7)
    for reward in (made.reward, torch.randn_like(made.reward)):
        torch.testing.assert_close(loss(made.mdp, demos, reward), -log_likelihood(made.mdp, demos, reward))


def test_loss_is_the_negative_log_likelihood_on_average_with_stochastic_dynamics() -> None:
    made = gridworlds(1, 0.4)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 4000)
    mean = loss(made.mdp, demos, made.reward) / 4000
    assert mean.item() == pytest.approx(-log_likelihood(made.mdp, demos, made.reward).item() / 4000, rel=0.02)


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_tasks_of_a_batch_are_fitted_independently(name: str) -> None:
    made = gridworlds(3, 0.2)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, HARD).policy, 4)
    torch.manual_seed(0)
    model = (
        maxent.MaxEnt(SPEC, maxent.Config(rounds=20))
        if name == "linear"
        else deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(rounds=20, hidden=(4,)))
    )
    in_batch = model.fit(made.mdp, demos).reward
    one = torch.tensor([1])
    single = model.fit(made.mdp[one], Demonstrations(demos.states[one], demos.actions[one])).reward
    assert in_batch is not None and single is not None
    torch.testing.assert_close(single[0], in_batch[1])
