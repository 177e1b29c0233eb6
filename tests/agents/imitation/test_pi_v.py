"""(π, V): the implicit reward by hand, and that without its penalty it is cloning."""

import pytest
import torch
from torch import nn

from metairl.agents.imitation import pi_v
from metairl.agents.offline import bc
from metairl.core.types import EncodedTransitions, Spec

SPEC = Spec(obs=2, actions=2, discrete=True, horizon=5, episodes=1, params=1)
ARM = Spec(obs=2, actions=1, discrete=False, horizon=5, episodes=1, params=1)


def moves(spec: Spec, shown: list[float] | None = None, continues: float = 1.0) -> EncodedTransitions:
    count = len(shown or [1.0])
    one = torch.ones(1, count)
    action = (
        torch.eye(2)[torch.zeros(1, count, dtype=torch.long)] if spec.discrete else 0.5 * one.unsqueeze(-1)
    )
    here, there = torch.eye(2)
    return EncodedTransitions(
        z=here.expand(1, count, 2),
        action=action,
        reward=torch.full((1, count), torch.nan),
        next_z=there.expand(1, count, 2),
        continues=continues * one,
        mask=one,
        family=torch.zeros(1, dtype=torch.long),
        is_demo=torch.tensor([shown or [1.0]]),
    )


@pytest.mark.parametrize("spec", [SPEC, ARM])
def test_without_its_squares_it_clones(spec: Spec) -> None:
    torch.manual_seed(0)
    inverse = pi_v.PiV(spec, 2, pi_v.Config(weight=0.0, hidden=(4,)))
    torch.manual_seed(0)
    clone = bc.BC(spec, 2, bc.Config(hidden=(4,)))
    m, rng = moves(spec), torch.Generator()
    losses = inverse.losses(m, rng)
    torch.testing.assert_close(losses["policy"], clone.losses(m, rng)["policy"])
    assert losses["reward"].item() == 0


def test_policy_and_value_by_hand() -> None:
    """r = log π + V(s₁) − γ V(s₂)."""
    learner = pi_v.PiV(SPEC, 2, pi_v.Config(gamma=0.9, weight=2.0, hidden=(4,)))
    learner.value = nn.Sequential(nn.Linear(2, 1, bias=False))
    learner.value[0].weight.data = torch.tensor([[1.5, -1.0]])
    m, rng = moves(SPEC), torch.Generator()
    log_prob = learner.policy(m.z).log_prob(m.action).item()
    assert learner.reward(m, rng).item() == pytest.approx(log_prob + 1.5 + 0.9)
    assert learner.losses(m, rng)["reward"].item() == pytest.approx(2 * (log_prob + 2.4) ** 2, rel=1e-5)
