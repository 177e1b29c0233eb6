"""GAIL, AIRL and GCL by hand, and what an early end must not pay."""

import math

import pytest
import torch
from torch import Tensor, nn

from metairl.core.types import Outcome, Spec
from metairl.rewards.adversarial import airl, gail, gcl
from metairl.rewards.adversarial.absorbing import AbsorbingMLP, DiscriminatorBatch, expected
from metairl.training.adversarial_imitation import steps_left

SPEC = Spec(obs=2, actions=2, discrete=True, horizon=4, episodes=1, params=1)


def deeds(steps: int = 3, ended: bool = False, log_prob: float = -0.5) -> DiscriminatorBatch:
    last = torch.zeros(1, steps)
    last[:, -1] = float(ended)
    return DiscriminatorBatch(
        z=torch.zeros(1, steps, 2),
        action=torch.eye(2)[torch.zeros(1, steps, dtype=torch.long)],
        next_z=torch.ones(1, steps, 2),
        mask=torch.ones(1, steps),
        ended=last,
        rest=last * (SPEC.horizon - steps),
        log_prob=torch.full((1, steps), log_prob),
    )


class Fixed(nn.Module):
    """A number for steps and another for rest."""

    def __init__(self, step: float, rest: float):
        super().__init__()
        self.step, self.rest = step, rest

    def forward(self, x: Tensor) -> Tensor:
        return torch.full(x.shape[:-1], self.step)

    def absorbing(self) -> Tensor:
        return torch.tensor(self.rest)


def test_rest_counts_as_often_as_it_lasts() -> None:
    """Three steps of 2 and one of rest at 6: (3 · 2 + 6) / 4."""
    assert expected(torch.full((1, 3), 2.0), torch.tensor(6.0), deeds(ended=True)).item() == 3.0
    assert expected(torch.full((1, 3), 2.0), torch.tensor(6.0), deeds()).item() == 2.0


@pytest.mark.parametrize("form, paid", [("both", 0.3), ("alive", math.log1p(math.exp(0.3))),
                                        ("done", -math.log1p(math.exp(-0.3)))])  # fmt: skip
def test_gail_by_hand(form: str, paid: float) -> None:
    model = gail.GAIL(SPEC, 2, gail.Config(form=form))
    model.h = Fixed(0.3, -1.0)
    losses = model.losses(deeds(), deeds(ended=True))
    assert losses["shown"].item() == pytest.approx(math.log1p(math.exp(-0.3)))
    lived = (3 * math.log1p(math.exp(0.3)) + math.log1p(math.exp(-1.0))) / 4
    assert losses["lived"].item() == pytest.approx(lived)
    assert model.policy_reward(deeds())[0, 0].item() == pytest.approx(paid)


def test_gail_learns_who_is_who() -> None:
    torch.manual_seed(0)
    model = gail.GAIL(SPEC, 2, gail.Config(hidden=(8,)))
    shown, lived = deeds(), deeds()
    lived = DiscriminatorBatch(
        lived.z,
        1 - lived.action,
        *(getattr(lived, name) for name in ("next_z", "mask", "ended", "rest", "log_prob")),
    )
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        torch.stack(list(model.losses(shown, lived).values())).sum().backward()
        optimiser.step()
    assert model.policy_reward(shown).min() > 1 and model.policy_reward(lived).max() < -1


def test_airl_by_hand() -> None:
    """f = 0.3 + 0.9 · 2 − 2 = 0.1, the logit 0.1 + 0.5; where the MDP ended h(z′) is that of rest, 4."""
    model = airl.AIRL(SPEC, 2, airl.Config(gamma=0.9))
    model.g, model.h = Fixed(0.3, 1.0), Fixed(2.0, 4.0)
    paid = model.policy_reward(deeds(ended=True))
    torch.testing.assert_close(paid, torch.tensor([[0.6, 0.6, 0.3 + 3.6 - 2 + 0.5]]))
    assert model.absorbing_reward().item() == pytest.approx(1.0 + 3.6 - 4.0)
    assert model.recovered_reward(deeds().z, deeds().action)[0, 0].item() == pytest.approx(0.3)


def test_gcl_weighs_by_who_could_have_done_it() -> None:
    """Two trials of equal reward, one three times as likely under the sampler: it weighs a third as much."""
    model = gcl.GCL(SPEC, 2, gcl.Config(decay=0.0))
    model.r = Fixed(0.0, 0.0)
    likely, rare = deeds(1, log_prob=math.log(0.75)), deeds(1, log_prob=math.log(0.25))
    model.cloned = Same()  # π_E never does either, so only the policy's density counts
    size = model.effective_sample_size(likely, rare)
    weights = torch.tensor([1 / 0.75, 1 / 0.25])
    weights /= weights.sum()
    assert size.item() == pytest.approx(1 / weights.square().sum().item(), rel=1e-4)


class Same(nn.Module):
    def forward(self, z: Tensor) -> "Same":
        return self

    def log_prob(self, action: Tensor) -> Tensor:
        return torch.full(action.shape[:-1], -100.0)


def test_what_is_left_of_an_episode_is_counted_from_its_beginning() -> None:
    done = torch.tensor([[False, True, False, False, False, True]])
    none = torch.zeros_like(done)
    came = Outcome(torch.zeros(1, 6), done, done, none, ~none, none)
    assert steps_left(came, 4).tolist() == [[3, 2, 3, 2, 1, 0]]


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_constant_reward_pays_every_length_of_episode_the_same(steps: int) -> None:
    """Discounted to the first step, whether the MDP ended after one step or went on to the horizon."""
    gamma, model = 0.9, gail.GAIL(SPEC, 2, gail.Config(form="alive"))
    model.h = Fixed(0.3, 0.3)
    lived = deeds(steps, ended=steps < SPEC.horizon)
    waiting = gamma * (1 - gamma**lived.rest) / (1 - gamma)
    paid = model.policy_reward(lived) + waiting * model.absorbing_reward()
    total = (paid * gamma ** torch.arange(steps)).sum().item()
    each = math.log1p(math.exp(0.3))
    assert total == pytest.approx(each * sum(gamma**t for t in range(SPEC.horizon)), rel=1e-5)


def test_rest_is_no_state_that_a_step_could_look_like() -> None:
    torch.manual_seed(0)
    potential = AbsorbingMLP(3, (8,))
    assert potential.absorbing().shape == ()
    assert potential(torch.zeros(1, 1, 3)).item() != potential.absorbing().item()
