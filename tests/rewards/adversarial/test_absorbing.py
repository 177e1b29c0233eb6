"""Absorbing states: how often they count, and that they are unlike any observation."""

import torch
from discriminator_batches import SPEC, Constant, batch

from metairl.rewards.adversarial import gail
from metairl.rewards.adversarial.absorbing import AbsorbingMLP, expectation, reward_gap


def test_absorbing_steps_count_as_often_as_they_last() -> None:
    """Three steps of 2 and one absorbing step of 6: (3 · 2 + 6) / 4."""
    two, six = torch.full((1, 3), 2.0), torch.tensor(6.0)
    assert expectation(two, six, batch(terminated=True)).item() == 3.0
    assert expectation(two, six, batch()).item() == 2.0


def test_masked_steps_do_not_count() -> None:
    """Steps of 1 and 3, and a masked one of 100."""
    masked = batch()
    masked.mask[:, 2] = 0
    values = torch.tensor([[1.0, 3.0, 100.0]])
    assert expectation(values, torch.tensor(9.0), masked).item() == 2.0


def test_the_absorbing_state_is_unlike_a_zero_observation() -> None:
    torch.manual_seed(0)
    network = AbsorbingMLP(3, (8,))
    assert network.absorbing().shape == ()
    assert network(torch.zeros(1, 1, 3)).item() != network.absorbing().item()


def test_the_reward_gap_by_hand() -> None:
    """The expert's mean reward of 1 less the policy's of 0.5."""
    model = gail.GAIL(SPEC, 2, gail.Config())
    model.h = ActionReward()
    expert, policy = batch(4), batch(4)
    policy.action[:, :2] = torch.tensor([0.0, 1.0])
    assert reward_gap(model, expert, policy)["reward_gap"].item() == 0.5


class ActionReward(Constant):
    """1 for the first action, 0 for the second."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., 2]
