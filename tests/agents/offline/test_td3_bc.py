"""TD3+BC: scaling, delayed policy updates, target rate and the encoder's gradient."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transitions import SPEC, chance, constant, embedded, moves

from metairl.agents.offline import td3_bc
from metairl.core.types import EncodedTransitions


def improvement(learner: td3_bc.TD3BC, m: EncodedTransitions) -> list[Tensor]:
    learner.zero_grad()
    terms = learner._improvement(m)
    (terms["policy"] + terms["cloning"]).backward()
    return [weight.grad.clone() for weight in learner.policy.parameters() if weight.grad is not None]


def test_the_size_of_values_does_not_matter_to_td3_bc() -> None:
    learner = td3_bc.TD3BC(SPEC, 3, td3_bc.Config(hidden=(8,)))
    before = improvement(learner, moves())
    learner.critic.weights[-1].data.mul_(10)
    learner.critic.biases[-1].data.mul_(10)
    for one, other in zip(before, improvement(learner, moves()), strict=True):
        torch.testing.assert_close(one, other)


def test_td3_bc_improves_every_second_step() -> None:
    learner = td3_bc.TD3BC(SPEC, 3, td3_bc.Config(hidden=(8,)))
    names = []
    for _ in range(4):
        names.append(set(learner.losses(moves(), chance())))
        learner.after_step()
    assert names == [{"critic"}, {"critic", "policy", "cloning"}] * 2


def test_targets_move_by_half_the_polyak_rate_in_every_step() -> None:
    """The paper moves them by κ at every second step; here by κ / 2 at each."""
    learner = td3_bc.TD3BC(SPEC, 3, td3_bc.Config(polyak=0.2, hidden=(8,)))
    pairs = [(learner.target, learner.critic), (learner.target_policy, learner.policy)]
    for _, fast in pairs:
        for weight in fast.parameters():
            weight.data += 1.0
    before = [[weight.clone() for weight in slow.parameters()] for slow, _ in pairs]
    learner.after_step()
    for was, (slow, _) in zip(before, pairs, strict=True):
        for old, weight in zip(was, slow.parameters(), strict=True):
            torch.testing.assert_close(weight, old + 0.1)


def test_the_policy_s_losses_do_not_train_the_encoder() -> None:
    learner = td3_bc.TD3BC(SPEC, 3, td3_bc.Config(hidden=(8,)))
    learner.after_step()  # the second step updates the policy
    m, z = embedded()
    losses = learner.losses(m, chance())
    (losses["policy"] + losses["cloning"]).backward(retain_graph=True)
    assert z.grad is None
    losses["critic"].backward()
    assert z.grad is not None and z.grad.any()


def test_the_policy_s_losses_by_hand() -> None:
    """π = 0 and Q = −4: λ = 2.5 / 4, −λ Q = 2.5; cloning ‖0 − a‖² / 2 for a = (0.6, 0.8)."""
    learner = td3_bc.TD3BC(SPEC, 3, td3_bc.Config(hidden=(8,)))
    constant(learner.policy, 0.0)
    constant(learner.critic, -4.0)
    m = replace(moves(), action=torch.tensor([0.6, 0.8]).expand(4, 8, 2))
    losses = learner._improvement(m)
    assert losses["policy"].item() == pytest.approx(2.5)
    assert losses["cloning"].item() == pytest.approx((0.36 + 0.64) / 2)
