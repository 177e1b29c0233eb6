"""Imitation against exact oracles: the soft-optimal policy of a chain and a grid, and the reward behind it.

    ρ_E(s, a, s′)   occupancy of the soft-optimal policy for r, enumerated: every triple once, with its weight
    recovered:      ½ Σ_s ρ_E(s) Σ_a |π(a | s) − π_E(a | s)| ≤ 0.01, and r up to potential-based shaping

Regularisers are weak here, since each of them trades some accuracy for a small reward.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import pytest
import torch
from discriminator_batches import SPEC, Constant
from discriminator_batches import batch as one_trial
from torch import Tensor

from metairl.agents.imitation import iq_learn_discrete, pi_v
from metairl.agents.offline import bc
from metairl.core.types import EncodedTransitions, Spec
from metairl.rewards.adversarial import airl, gail, gcl
from metairl.rewards.adversarial.absorbing import AdversarialReward, DiscriminatorBatch
from metairl.rewards.clare_weights import PointwiseWeights, RewardBatch, reward_loss

GAMMA = 0.9


@dataclass(frozen=True)
class Oracle:
    """A finite MDP with its reward and its soft-optimal policy."""

    leads: Tensor  # P [S, A, S]
    reward: Tensor  # r [S], of the state that a step begins in
    begins: Tensor  # [S], initial states

    @property
    def spec(self) -> Spec:
        states, actions, _ = self.leads.shape
        return Spec(states, actions, True, horizon=4, episodes=1, params=1)

    def soft(self, reward: Tensor) -> Tensor:
        """π [S, A], best for a reward [S, A, S] and its own entropy, for ever."""
        value = torch.zeros(len(self.reward))
        for _ in range(500):
            q = (self.leads * (reward + GAMMA * value)).sum(-1)
            value = q.logsumexp(-1)
        return (q - value.unsqueeze(-1)).exp()

    def visits(self, policy: Tensor) -> Tensor:
        """ρ [S, A, S], discounted, of sum 1."""
        moves = torch.einsum("sa,sat->st", policy, self.leads)
        share = torch.linalg.solve(torch.eye(len(self.begins)) - GAMMA * moves.T, (1 - GAMMA) * self.begins)
        return share[:, None, None] * policy.unsqueeze(-1) * self.leads

    @property
    def true(self) -> Tensor:
        return self.reward[:, None, None].expand_as(self.leads)

    @cached_property
    def expert(self) -> Tensor:
        return self.soft(self.true)


def chain(slips: float = 0.1) -> Oracle:
    """Left and right."""
    leads = torch.zeros(5, 2, 5)
    for state, action in product(range(5), range(2)):
        for way, chance in ((action, 1 - slips), (1 - action, slips)):
            leads[state, action, min(4, max(0, state + 2 * way - 1))] += chance
    return Oracle(leads, torch.tensor([0.5, 0.0, -0.5, 0.0, 1.0]), torch.full((5,), 0.2))


def grid(slips: float = 0.1) -> Oracle:
    """3 × 3 cells, four ways."""
    leads = torch.zeros(9, 4, 9)
    ways = ((-1, 0), (1, 0), (0, -1), (0, 1))
    for state, action, way in product(range(9), range(4), range(4)):
        row, column = divmod(state, 3)
        there = min(2, max(0, row + ways[way][0])) * 3 + min(2, max(0, column + ways[way][1]))
        leads[state, action, there] += slips / 4 + (1 - slips) * (way == action)
    reward = torch.tensor([0.0, -1.0, 0.0, 0.0, -1.0, 0.5, 0.0, 0.0, 1.0])
    return Oracle(leads, reward, torch.eye(9)[0] * 0.5 + 0.5 / 9)


ORACLES = [pytest.param(chain(), id="chain"), pytest.param(grid(), id="grid")]
CERTAIN = [pytest.param(chain(0.0), id="chain"), pytest.param(grid(0.0), id="grid")]  # nothing ever slips


def enumerated(oracle: Oracle) -> tuple[Tensor, Tensor, Tensor]:
    """One-hot states, actions and states after of every triple, [1, S·A·S, …] each."""
    states, actions, _ = oracle.leads.shape
    s, a, t = torch.cartesian_prod(*(torch.arange(n) for n in (states, actions, states))).unbind(1)
    z, action, after = (torch.eye(n)[x].unsqueeze(0) for n, x in ((states, s), (actions, a), (states, t)))
    return z, action, after


def demonstrations(oracle: Oracle) -> EncodedTransitions:
    z, action, after = enumerated(oracle)
    weight = oracle.visits(oracle.expert).flatten().unsqueeze(0)
    one = torch.ones_like(weight)
    return EncodedTransitions(
        z, action, torch.zeros_like(weight), after, one, weight, torch.zeros(1, dtype=torch.long), one
    )


def distance(oracle: Oracle, policy: Tensor) -> float:
    """Total variation from the expert, over the states that it visits."""
    there = oracle.visits(oracle.expert).sum((1, 2))
    return float((there * (policy - oracle.expert).abs().sum(1)).sum() / 2)


def unexplained(oracle: Oracle, reward: Tensor) -> float:
    """What is left of a reward [S, A, S], as expected of (s, a), without the true one and any shaping.

    r̂(s, a) ≈ r(s) + γ E[Φ(s′)] − Φ(s) + c,   in shares of the true one's spread
    """
    states, actions, _ = oracle.leads.shape
    over = ((oracle.leads * reward).sum(-1) - oracle.reward.unsqueeze(-1)).flatten()
    shaping = GAMMA * oracle.leads - torch.eye(states).unsqueeze(1)
    basis = torch.cat([shaping.flatten(0, 1), torch.ones(states * actions, 1)], dim=1)
    left = over - basis @ torch.linalg.lstsq(basis, over, driver="gelsd").solution
    return float(left.square().mean().sqrt() / oracle.reward.std())


def test_logit_and_rewards_by_hand() -> None:
    """f = 0.3 + 0.9 · 2 − 2 = 0.1, the logit 0.1 + 0.5; where the MDP terminates h(z′) is the absorbing 4."""
    model = airl.AIRL(SPEC, 2, airl.Config(gamma=0.9))
    model.g, model.h = Constant(0.3, 1.0), Constant(2.0, 4.0)
    trial = one_trial(terminated=True)
    torch.testing.assert_close(model.policy_reward(trial), torch.tensor([[0.6, 0.6, 0.3 + 3.6 - 2 + 0.5]]))
    assert model.absorbing_reward().item() == pytest.approx(1.0 + 3.6 - 4.0)
    assert model.recovered_reward(trial.z, trial.action)[0, 0].item() == pytest.approx(0.3)


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (bc.BC, bc.Config(hidden=(64,))),
        (pi_v.PiV, pi_v.Config(gamma=GAMMA, weight=1e-3, hidden=(64,))),
        (
            iq_learn_discrete.DiscreteIQLearn,
            iq_learn_discrete.Config(gamma=GAMMA, temperature=1.0, alpha=500.0, hidden=(64,)),
        ),
    ],
)
def test_offline_imitation_finds_the_soft_optimal_policy(oracle: Oracle, kind: type, config: object) -> None:
    torch.manual_seed(0)
    spec, rng, demos = oracle.spec, torch.Generator(), demonstrations(oracle)
    learner = kind(spec, spec.obs, config)
    optimiser = torch.optim.Adam(learner.parameters(), 1e-2)
    fall = torch.optim.lr_scheduler.PolynomialLR(optimiser, 1500)
    for _ in range(1500):
        optimiser.zero_grad()
        torch.stack(list(learner.losses(demos, rng).values())).sum().backward()
        optimiser.step()
        fall.step()
    states = torch.eye(spec.obs)
    with torch.no_grad():
        logits = learner.policy(states).log_p if hasattr(learner, "policy") else learner.critic(states)
        assert distance(oracle, logits.softmax(-1)) <= 0.01
        if hasattr(learner, "reward"):
            assert unexplained(oracle, learner.reward(demos, rng).view(oracle.leads.shape)) <= 0.05


@pytest.mark.parametrize("oracle", CERTAIN)
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (gail.GAIL, gail.Config(hidden=(64,))),
        (airl.AIRL, airl.Config(gamma=GAMMA, hidden=(64,))),
    ],
)
def test_adversarial_imitation_finds_the_soft_optimal_policy(
    oracle: Oracle, kind: type, config: object
) -> None:
    """A step of natural policy gradient after every three gradient steps of the reward."""
    torch.manual_seed(0)
    spec = oracle.spec
    reward = kind(spec, spec.obs, config)
    optimiser = torch.optim.Adam(reward.parameters(), 5e-3)
    fall = torch.optim.lr_scheduler.PolynomialLR(optimiser, 2000)
    policy = torch.full_like(oracle.expert, 1 / spec.actions)
    expert = oracle.visits(oracle.expert)
    for turn in range(2000):
        of_expert, of_policy = (batch(oracle, weight, policy) for weight in (expert, oracle.visits(policy)))
        optimiser.zero_grad()
        torch.stack(list(reward.losses(of_expert, of_policy).values())).sum().backward()
        optimiser.step()
        fall.step()
        if turn % 3 == 0:
            policy = improved(oracle, policy, reward, of_policy)
    assert distance(oracle, policy) <= 0.01
    if kind is airl.AIRL:
        with torch.no_grad():
            found = reward.recovered_reward(of_policy.z, of_policy.action).view(oracle.leads.shape)[:, 0, 0]
        assert float(torch.corrcoef(torch.stack([found, oracle.reward]))[0, 1]) >= 0.98


@torch.no_grad()
def improved(
    oracle: Oracle, policy: Tensor, reward: AdversarialReward, of_policy: DiscriminatorBatch
) -> Tensor:
    """One step of natural policy gradient: π ∝ π exp(η A), A for the policy's reward."""
    rewards = reward.policy_reward(of_policy).view(oracle.leads.shape)
    expected = (oracle.leads * rewards).sum(-1)
    moves = torch.einsum("sa,sat->st", policy, oracle.leads)
    value = torch.linalg.solve(torch.eye(len(policy)) - GAMMA * moves, (policy * expected).sum(-1))
    advantage = expected + GAMMA * oracle.leads @ value - value.unsqueeze(-1)
    return (policy.log() + 0.1 * advantage).softmax(-1)


def batch(oracle: Oracle, weight: Tensor, policy: Tensor) -> DiscriminatorBatch:
    z, action, after = enumerated(oracle)
    log_prob = policy.log()[z[0].argmax(-1), action[0].argmax(-1)].unsqueeze(0)
    none = torch.zeros_like(log_prob)
    return DiscriminatorBatch(z, action, after, weight.flatten().unsqueeze(0), none, none, log_prob)


@pytest.mark.parametrize("oracle", CERTAIN)
def test_gcl_recovers_the_distribution_of_trials(oracle: Oracle) -> None:
    """The sampler draws every trial of four steps equally often; importance weights make up for it."""
    torch.manual_seed(0)
    spec = oracle.spec
    chosen = torch.cartesian_prod(*[torch.arange(spec.actions)] * spec.horizon)  # [M, H]
    led = oracle.leads.argmax(-1)
    places = [torch.zeros(len(chosen), dtype=torch.long)]
    for step in range(spec.horizon):
        places.append(led[places[-1], chosen[:, step]])
    at = torch.stack(places, 1)
    returns = oracle.reward[at[:, 1:]].sum(1)  # rewards of next states, so that all four choices matter
    chance = returns.softmax(0)  # of a trial, by the soft-optimal policy for four steps
    copies = (chance * 256 * spec.obs).round().long()
    states, actions = torch.eye(spec.obs), torch.eye(spec.actions)

    def trials(rows: Tensor) -> DiscriminatorBatch:
        count = torch.ones(len(rows), spec.horizon)
        none, even = torch.zeros_like(count), torch.full_like(count, 1 / spec.actions).log()
        clock = torch.eye(spec.horizon).expand(len(rows), -1, -1)
        z = torch.cat([states[at[rows, :-1]], clock], -1)
        return DiscriminatorBatch(z, actions[chosen[rows]], z, count, none, none, even)

    of_expert = trials(torch.arange(len(chosen)).repeat_interleave(copies))
    every = torch.arange(len(chosen)).repeat(len(of_expert.z) // len(chosen) + 1)[: len(of_expert.z)]
    model = gcl.GCL(spec, spec.obs + spec.horizon, gcl.Config(decay=0.0, hidden=(64,)))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    fall = torch.optim.lr_scheduler.PolynomialLR(optimiser, 400)
    of_policy = trials(every)
    for _ in range(400):
        optimiser.zero_grad()
        torch.stack(list(model.losses(of_expert, of_policy).values())).sum().backward()
        optimiser.step()
        fall.step()
    with torch.no_grad():
        once = trials(torch.arange(len(chosen)))
        explained = model.policy_reward(once).sum(1).softmax(0)
    assert float((explained - chance).abs().sum() / 2) <= 0.01
    size = float(model.diagnostics(of_expert, of_policy)["effective_sample_size"])
    assert 1 < size <= 2 * len(of_expert.z)


def conservative(oracle: Oracle, uncertain: Tensor) -> Tensor:
    """The soft-optimal policy for CLARE's reward, both updated in turns; the other data is of random actions.

    The model's dynamics are exact, but it is uncertain in some states.
    """
    states, actions, _ = oracle.leads.shape
    chance = torch.full_like(oracle.expert, 1 / actions)
    expert, other = (pairs(oracle, policy) for policy in (oracle.expert, chance))
    u = uncertain.float().repeat_interleave(actions)
    weights = PointwiseWeights.of(u[expert], torch.cat([u[other], torch.ones(1)]), threshold=0.5)
    beta = {
        "expert": weights.weights(u[expert], expert=True),
        "other": weights.weights(u[other], expert=False),
    }
    r = torch.zeros(states * actions, requires_grad=True)
    optimiser = torch.optim.Adam([r], 0.02)
    fall = torch.optim.lr_scheduler.PolynomialLR(optimiser, 2000)
    value = torch.zeros(states)
    for _ in range(2000):
        with torch.no_grad():
            for _ in range(5):
                q = r.view(states, actions) + GAMMA * oracle.leads @ value
                value = q.logsumexp(-1)
        policy = q.log_softmax(-1).exp()
        rows = {"expert": expert, "other": other, "model": pairs(oracle, policy)}
        rewards = {name: RewardBatch(r[at], torch.zeros(())) for name, at in rows.items()}
        optimiser.zero_grad()
        reward_loss(rewards, beta, share=0.5, scheme="paper", decay=1e-4).backward()
        optimiser.step()
        fall.step()
    return policy


def pairs(oracle: Oracle, policy: Tensor, count: int = 20_000) -> Tensor:
    """Numbers s · A + a, each as often as the policy comes to it."""
    often = (oracle.visits(policy).sum(-1).flatten() * count).round().long()
    return torch.arange(len(often)).repeat_interleave(often)


@pytest.mark.parametrize("oracle", ORACLES)
def test_clare_with_a_certain_model_finds_the_soft_optimal_policy(oracle: Oracle) -> None:
    assert distance(oracle, conservative(oracle, uncertain=torch.zeros(len(oracle.begins)))) <= 0.01


def test_clare_avoids_states_in_which_its_model_is_uncertain() -> None:
    oracle = chain()
    there = torch.tensor([0, 0, 0, 0, 1])
    careful = oracle.visits(conservative(oracle, there)).sum((1, 2))
    assert careful[4] < oracle.visits(oracle.expert).sum((1, 2))[4] / 2
