"""The success classifier by hand, and its optimum when visited states include the goal."""

import math
from dataclasses import replace

import pytest
import torch

from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch
from metairl.rewards.adversarial.success_classifier import Config, SuccessClassifier

SPEC = Spec(obs=1, actions=1, discrete=False, horizon=4, episodes=1, params=1)


def at(places: list[float]) -> DiscriminatorBatch:
    z = torch.tensor(places).view(1, -1, 1)
    none = torch.zeros(1, len(places))
    return DiscriminatorBatch(z, torch.zeros_like(z), z, none + 1, none, none, none)


class Line(torch.nn.Module):
    """f = z."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z.squeeze(-1)

    def absorbing(self) -> torch.Tensor:
        return torch.tensor(0.0)


@pytest.mark.parametrize(
    "form, reward",
    [("probability", 1 / (1 + math.exp(-0.4))), ("log", -math.log1p(math.exp(-0.4))), ("logit", 0.4)],
)
def test_success_by_hand(form: str, reward: float) -> None:
    model = SuccessClassifier(SPEC, 1, Config(form=form))
    model.f = Line()
    losses = model.losses(at([0.4]), at([1.0, -1.0]))
    of_examples, of_visited = losses.values()
    assert of_examples.item() == pytest.approx(math.log1p(math.exp(-0.4)))
    by_hand = (math.log1p(math.exp(1.0)) + math.log1p(math.exp(-1.0))) / 2
    assert of_visited.item() == pytest.approx(by_hand)
    assert model.policy_reward(at([0.4])).item() == pytest.approx(reward)
    assert model.probability(at([0.4]).z).item() == pytest.approx(1 / (1 + math.exp(-0.4)))


def test_the_reward_does_not_depend_on_actions() -> None:
    model, there = SuccessClassifier(SPEC, 1, Config()), at([0.3, 0.6])
    torch.testing.assert_close(
        model.policy_reward(there), model.policy_reward(replace(there, action=there.action + 1))
    )


@pytest.mark.parametrize("visits, chance", [([1.0] * 4, 0.5), ([1.0, 0.0, 0.0, 0.0], 0.8), ([0.0] * 4, 1.0)])
def test_the_goal_keeps_a_probability_of_at_least_one_half(visits: list[float], chance: float) -> None:
    """p = 1 / (1 + v), v the share of visits that look like the goal: 1, a quarter, none."""
    torch.manual_seed(0)
    model = SuccessClassifier(SPEC, 1, Config(hidden=(16,)))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(1000):
        optimiser.zero_grad()
        torch.stack(list(model.losses(at([1.0] * 4), at(visits)).values())).sum().backward()
        optimiser.step()
    assert model.probability(at([1.0]).z).item() == pytest.approx(chance, abs=0.02)
