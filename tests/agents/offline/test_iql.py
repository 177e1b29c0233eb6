"""IQL, CQL, TD3+BC and FOCAL: numbers worked out by hand, and what theory says they reduce to."""

from dataclasses import replace
from math import e, exp, log, sinh

import pytest
import torch
from torch import Tensor
from transitions import LINE, SPEC, chance, constant, moves

from metairl.agents.encoders.focal import Config as FocalConfig
from metairl.agents.encoders.focal import Focal
from metairl.agents.offline import bc, cql, cql_discrete, iql, td3_bc
from metairl.agents.rl import sac
from metairl.core.losses import expectile
from metairl.core.types import Batch, EncodedTransitions


def test_expectile_by_hand() -> None:
    u = torch.tensor([1.0, -2.0, 0.0, 0.5])
    torch.testing.assert_close(expectile(u, 0.7), torch.tensor([0.7, 1.2, 0.0, 0.175]))
    torch.testing.assert_close(expectile(u, 0.5), u.square() / 2)  # the mean, as in plain regression


@pytest.mark.parametrize("tau, value", [(0.5, 2.0), (0.8, 3.2)])
def test_the_expectile_of_two_numbers(tau: float, value: float) -> None:
    """Of 0 and 4: τ (4 − v) = (1 − τ) v, so v = 4 τ."""
    v = torch.tensor(value, requires_grad=True)
    expectile(torch.tensor([0.0, 4.0]) - v, tau).sum().backward()
    assert v.grad is not None and abs(v.grad.item()) < 1e-6


def test_iql_by_hand() -> None:
    """Q̄ = 1, V = 0.5, so u = 0.5; τ = 0.7, β = 3, γ = 0.9; r = 2 and then the MDP ends, or not."""
    learner = iql.IQL(SPEC, 3, iql.Config(gamma=0.9, hidden=(4,)))
    constant(learner.target, 1.0)
    constant(learner.critic, 1.5)
    constant(learner.value, 0.5)
    m = replace(moves(), reward=torch.full((4, 8), 2.0))
    loss = learner.losses(m, chance())
    assert loss["value"].item() == pytest.approx(0.7 * 0.25)
    assert loss["critic"].item() == pytest.approx(2 * (2 + 0.9 * 0.5 - 1.5) ** 2)
    cloned = -learner.policy(m.z).log_prob(m.action).mean().item()
    assert loss["policy"].item() == pytest.approx(exp(1.5) * cloned, rel=1e-5)
    ended = learner.losses(replace(m, continues=torch.zeros(4, 8)), chance())
    assert ended["critic"].item() == pytest.approx(2 * (2 - 1.5) ** 2)


def test_an_advantage_weighs_no_more_than_a_hundred() -> None:
    learner = iql.IQL(SPEC, 3, iql.Config(hidden=(4,)))
    constant(learner.target, 50.0)
    constant(learner.value, 0.0)
    m = moves()
    cloned = -learner.policy(m.z).log_prob(m.action).mean().item()
    assert learner.losses(m, chance())["policy"].item() == pytest.approx(100 * cloned, rel=1e-5)


def test_the_policys_loss_of_iql_reaches_nothing_else() -> None:
    learner = iql.IQL(SPEC, 3, iql.Config(hidden=(4,)))
    learner.losses(moves(), chance())["policy"].backward()
    others = [*learner.critic.parameters(), *learner.value.parameters(), *learner.target.parameters()]
    assert all(weight.grad is None for weight in others)
    assert all(weight.grad is not None for weight in learner.policy.parameters())


def test_iql_without_a_preference_is_cloning() -> None:
    torch.manual_seed(0)
    greedy = iql.IQL(SPEC, 3, iql.Config(beta=0.0, hidden=(4,)))
    clone = bc.BC(SPEC, 3, bc.Config(hidden=(4,)))
    clone.policy.load_state_dict(greedy.policy.state_dict())
    assert torch.equal(greedy.losses(moves(), chance())["policy"], clone.losses(moves(), chance())["policy"])


def test_cql_gap_by_hand() -> None:
    """Q(z, ·) = (1, 2, 0) and the first was done: log(e + e² + 1) − 1."""
    spec = replace(SPEC, actions=3, discrete=True)
    learner = cql_discrete.DiscreteCQL(spec, 3, cql_discrete.Config(weight=2.0, hidden=()))
    constant(learner.critic, 0.0)
    learner.critic[-1].bias.data.copy_(torch.tensor([1.0, 2.0, 0.0]))
    first = torch.tensor([1.0, 0.0, 0.0]).expand(4, 8, 3)
    gap = learner.losses(replace(moves(), action=first), chance())["gap"]
    assert gap.item() == pytest.approx(2 * (log(e + e**2 + 1) - 1), rel=1e-6)


@pytest.mark.parametrize("slope", [0.0, 1.5])
def test_cql_integrates_over_every_action(slope: float) -> None:
    """Q(z, a) = c a on [−1, 1]: ∫ exp Q da = 2 sinh(c) / c, found by importance sampling."""
    learner = cql.CQL(LINE, 3, cql.Config(actions=4000, hidden=()))
    learner.critic.weights[0].data.zero_()
    learner.critic.weights[0].data[:, 3] = slope
    m = moves(LINE)
    policies = learner.policy(m.z), learner.policy(m.next_z)
    both = learner._everywhere(m, policies, chance()).item()  # critics, which say the same
    exact = log(2 * sinh(slope) / slope) if slope else log(2)
    assert both / 2 - log(3 * 4000) == pytest.approx(exact, abs=0.01)


def test_cql_pushes_down_what_is_drawn_and_up_what_was_done() -> None:
    learner = cql.CQL(LINE, 3, cql.Config(weight=1.0, hidden=()))
    m = replace(moves(LINE), action=torch.ones(4, 8, 1))
    learner.losses(m, chance())["gap"].backward()
    slope = learner.critic.weights[0].grad
    assert slope is not None
    assert (slope[:, 3] < 0).all()  # a step down the gradient makes Q rise towards a = 1
    assert learner.policy.net[-1].weight.grad is None


def test_cql_without_weight_is_sac_bit_for_bit() -> None:
    torch.manual_seed(3)
    plain = sac.SAC(SPEC, 3, sac.Config(hidden=(8,)))
    torch.manual_seed(3)
    cautious = cql.CQL(SPEC, 3, cql.Config(weight=0.0, soft=True, hidden=(8,)))
    for rngs in [(chance(), chance())]:
        for _ in range(3):
            one, other = plain.losses(moves(), rngs[0]), cautious.losses(moves(), rngs[1])
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name]) for name in one)


def test_cqls_weight_rises_while_the_gap_is_wider_than_asked() -> None:
    for gap, sign in ((-100.0, -1), (100.0, 1)):
        learner = cql.CQL(SPEC, 3, cql.Config(gap=gap, hidden=(8,)))
        learner.losses(moves(), chance())["weight"].backward()
        assert learner.log_weight is not None and learner.log_weight.grad is not None
        assert torch.sign(learner.log_weight.grad) == sign


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


def evidence(order: Tensor | None = None) -> Batch:
    m = moves()
    order = torch.arange(8) if order is None else order
    flags = torch.zeros(4, 8)
    return Batch(
        m.z[:, order], m.action[:, order], m.reward[:, order], m.reward[:, order], m.next_z[:, order],
        flags, flags, m.mask, torch.zeros(4, 1), m.family, flags,
    )  # fmt: skip


def test_focal_by_hand() -> None:
    """e = (0, 2) and e′ = (1, 2): d = (1, 4; 1, 0), so near = (√1 + √0) / 2, far = (1/5 + 1/2) / 2."""
    focal = Focal(SPEC, FocalConfig(latent=1, weight=3.0, near=0.0, far=1.0))
    one, other = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [2.0]])
    assert focal.distances(one, other).item() == pytest.approx(3 * (0.5 + 0.35))


def test_focal_learns_from_distances_alone_and_in_any_order() -> None:
    focal = Focal(SPEC, FocalConfig(hidden=(8,)))
    belief, loss = focal.infer_posterior(evidence())
    assert not belief.requires_grad and loss.requires_grad
    shuffled, _ = focal.infer_posterior(evidence(torch.tensor([3, 1, 7, 5, 0, 2, 6, 4])))
    torch.testing.assert_close(belief, shuffled)
