"""IQ-Learn and (π, V) by hand."""

from math import exp, log

import pytest
import torch
from torch import Tensor, nn

from metairl.agents.imitation import iq_learn, iq_learn_discrete, pi_v
from metairl.agents.imitation.divergences import PHI
from metairl.agents.offline import bc
from metairl.core.networks import Squashed
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


def tabular(**settings: object) -> iq_learn_discrete.DiscreteIQLearn:
    """Q(s₁, ·) = 1.2, 0.5 and Q(s₂, ·) = 0.3, 0.8."""
    learner = iq_learn_discrete.DiscreteIQLearn(
        SPEC, 2, iq_learn_discrete.Config(gamma=0.9, temperature=1.0, **settings)
    )
    learner.critic = nn.Sequential(nn.Linear(2, 2, bias=False))
    learner.critic[0].weight.data = torch.tensor([[1.2, 0.3], [0.5, 0.8]])
    return learner


def test_the_offline_loss_by_hand() -> None:
    """V(s₂) = 1.274, γ V(s₂) = 1.147, δ = 0.053, V(s₁) = 1.603, loss −(1.2 − 1.603) + δ² / (4 · 0.5)."""
    learner, rng = tabular(alpha=0.5), torch.Generator()
    assert learner.value(torch.tensor([0.3, 0.8])).item() == pytest.approx(1.274, abs=5e-4)
    assert learner.value(torch.tensor([1.2, 0.5])).item() == pytest.approx(1.603, abs=5e-4)
    assert learner.reward(moves(SPEC), rng).item() == pytest.approx(0.053, abs=5e-4)
    losses = learner.losses(moves(SPEC), rng)
    assert torch.stack(list(losses.values())).sum().item() == pytest.approx(0.4046, abs=1e-4)


def test_a_step_of_one_tenth_by_hand() -> None:
    """With V held, Q(s₁, a₁) goes from 1.2 to 1.2 + 0.1 (1 − δ) = 1.295."""
    learner = tabular(alpha=0.5)
    loss = learner.losses(moves(SPEC), torch.Generator())["reward"]
    loss.backward()
    gradient = learner.critic[0].weight.grad[0, 0].item()  # through Q(s₁, a₁) alone: V(s₁) is in L_V
    assert 1.2 - 0.1 * gradient == pytest.approx(1.295, abs=1e-3)


def test_where_the_mdp_ended_nothing_follows() -> None:
    assert tabular().reward(moves(SPEC, continues=0.0), torch.Generator()).item() == pytest.approx(1.2)


def test_what_was_not_demonstrated_counts_where_it_is_said_to() -> None:
    rng, both = torch.Generator(), moves(SPEC, [1.0, 0.0])
    alone = tabular().losses(moves(SPEC), rng)
    torch.testing.assert_close(tabular().losses(both, rng), alone)
    known = tabular(everywhere=True, alpha=0.5).losses(both, rng)
    assert known["others"].item() == pytest.approx(0.053**2 / 2, abs=1e-4)
    assert torch.equal(tabular(value="all").losses(both, rng)["value"], alone["value"])


def test_each_phi_by_hand() -> None:
    x = torch.tensor([0.5])
    assert PHI["chi2"](x, 0.5).item() == pytest.approx(0.5 - 0.125)
    assert PHI["kl"](x, 0.5).item() == pytest.approx(-exp(-1.5))
    assert PHI["hellinger"](x, 0.5).item() == pytest.approx(1 / 3)
    assert PHI["js"](x, 0.5).item() == pytest.approx(log(2 - exp(-0.5)))


@pytest.mark.parametrize("name", PHI)
def test_each_phi_is_concave_and_has_a_slope_everywhere(name: str) -> None:
    x = torch.linspace(-5, 5, 101, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(PHI[name](x, 0.5).sum(), x)[0]
    assert slope.isfinite().all() and (slope.diff() <= 1e-9).all()


class Constant(nn.Module):
    def __init__(self, *values: float):
        super().__init__()
        self.values = torch.tensor(values)

    def forward(self, x: Tensor, still: bool = False) -> Tensor:
        return self.values.view(-1, *[1] * (x.dim() - 1)).expand(-1, *x.shape[:-1])


def test_continuous_actions_by_hand() -> None:
    """Q̄ = 3 and 5, Q = 1 and 2, no entropy: V̄ = 3, V = 1, r_i = Q_i − 2.7, φ(r) = r − r² / 2."""
    learner = iq_learn.IQLearn(ARM, 2, iq_learn.Config(gamma=0.9, temperature=0.0, alpha=0.5, hidden=(4,)))
    learner.critic, learner.target = Constant(1.0, 2.0), Constant(3.0, 5.0)
    losses = learner.losses(moves(ARM), torch.Generator())
    r = [1 - 2.7, 2 - 2.7]
    assert losses["reward"].item() == pytest.approx(-sum(x - x**2 / 2 for x in r), rel=1e-5)
    assert losses["value"].item() == pytest.approx(2 * (1 - 2.7), rel=1e-5)
    assert losses["policy"].item() == pytest.approx(-1.0)


def test_density_of_what_others_chose() -> None:
    """The same as that of one's own draw, wherever it falls."""
    pi = Squashed(torch.tensor([[0.3, -0.2]]), torch.tensor([[-0.5, 0.1]]))
    action, log_prob = pi.draw(torch.Generator().manual_seed(0))
    torch.testing.assert_close(pi.log_prob(action), log_prob)
    assert pi.log_prob(torch.ones(1, 2)).isfinite().all()


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
