"""GAIL: losses and rewards worked out by hand, and that a constant reward favours no episode length."""

import math
from dataclasses import replace

import pytest
import torch
from discriminator_batches import SPEC, Constant, batch

from metairl.rewards.adversarial import gail


@pytest.mark.parametrize("form, reward", [("logit", 0.3), ("positive", math.log1p(math.exp(0.3))),
                                          ("negative", -math.log1p(math.exp(-0.3)))])  # fmt: skip
def test_losses_and_reward_by_hand(form: str, reward: float) -> None:
    model = gail.GAIL(SPEC, 2, gail.Config(form=form))
    model.h = Constant(0.3, -1.0)
    losses = model.losses(batch(), batch(terminated=True))
    of_expert, of_policy = losses.values()
    assert of_expert.item() == pytest.approx(math.log1p(math.exp(-0.3)))
    by_hand = (3 * math.log1p(math.exp(0.3)) + math.log1p(math.exp(-1.0))) / 4
    assert of_policy.item() == pytest.approx(by_hand)
    assert model.policy_reward(batch())[0, 0].item() == pytest.approx(reward)


def test_the_discriminator_learns_to_tell_actions_apart() -> None:
    torch.manual_seed(0)
    model = gail.GAIL(SPEC, 2, gail.Config(hidden=(8,)))
    expert = batch()
    policy = replace(batch(), action=1 - expert.action)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        torch.stack(list(model.losses(expert, policy).values())).sum().backward()
        optimiser.step()
    assert model.policy_reward(expert).min() > 1 and model.policy_reward(policy).max() < -1


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_constant_reward_is_worth_the_same_for_every_episode_length(steps: int) -> None:
    """Discounted to the first step, whether the MDP terminates after one step or runs to the horizon."""
    gamma, model = 0.9, gail.GAIL(SPEC, 2, gail.Config(form="positive"))
    model.h = Constant(0.3, 0.3)
    trial = batch(steps, terminated=steps < SPEC.horizon)
    absorbing = gamma * (1 - gamma**trial.absorbing_steps) / (1 - gamma)
    reward = model.policy_reward(trial) + absorbing * model.absorbing_reward()
    total = (reward * gamma ** torch.arange(steps)).sum().item()
    each = math.log1p(math.exp(0.3))
    assert total == pytest.approx(each * sum(gamma**t for t in range(SPEC.horizon)), rel=1e-5)
