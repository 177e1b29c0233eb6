"""Imitation against exact oracles: the soft-optimal policy of a chain and a grid, and the reward behind it.

    ρ_E(s, a, s′) = what the soft-optimal policy for r does, enumerated: every triple once, with its weight
    recovered:   ½ Σ_s ρ_E(s) Σ_a |π(a | s) − π_E(a | s)| ≤ 0.01, and a reward that is r but for shaping

Regularisers are weak here, since every one of them trades some likeness for a small reward.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import pytest
import torch
from torch import Tensor

from metairl.agents.imitation import iq_learn_discrete, pi_v
from metairl.agents.offline import bc
from metairl.core.types import EncodedTransitions, Spec
from metairl.rewards.adversarial import airl, gail, gcl
from metairl.rewards.adversarial.absorbing import AdversarialReward, DiscriminatorBatch
from metairl.rewards.clare_weights import Paid, PointwiseWeights, reward_loss

GAMMA = 0.9


@dataclass(frozen=True)
class Oracle:
    """A finite MDP with a reward of where a step leads to, and what is soft-optimal there."""

    leads: Tensor  # P [S, A, S]
    reward: Tensor  # r [S], of the state that a step begins in
    begins: Tensor  # [S]

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


def demonstrated(oracle: Oracle) -> EncodedTransitions:
    z, action, after = enumerated(oracle)
    weight = oracle.visits(oracle.expert).flatten().unsqueeze(0)
    one = torch.ones_like(weight)
    return EncodedTransitions(
        z, action, torch.zeros_like(weight), after, one, weight, torch.zeros(1, dtype=torch.long), one
    )


def apart(oracle: Oracle, policy: Tensor) -> float:
    """Total variation from the expert, where it goes."""
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
def test_what_is_learned_offline_is_the_soft_optimal_policy(
    oracle: Oracle, kind: type, config: object
) -> None:
    torch.manual_seed(0)
    spec, rng, shown = oracle.spec, torch.Generator(), demonstrated(oracle)
    learner = kind(spec, spec.obs, config)
    optimiser = torch.optim.Adam(learner.parameters(), 1e-2)
    fall = torch.optim.lr_scheduler.PolynomialLR(optimiser, 1500)
    for _ in range(1500):
        optimiser.zero_grad()
        torch.stack(list(learner.losses(shown, rng).values())).sum().backward()
        optimiser.step()
        fall.step()
    states = torch.eye(spec.obs)
    with torch.no_grad():
        logits = learner.policy(states).log_p if hasattr(learner, "policy") else learner.critic(states)
        assert apart(oracle, logits.softmax(-1)) <= 0.01
        if hasattr(learner, "reward"):
            assert unexplained(oracle, learner.reward(shown, rng).view(oracle.leads.shape)) <= 0.05


@pytest.mark.parametrize("oracle", CERTAIN)
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (gail.GAIL, gail.Config(hidden=(64,))),
        (airl.AIRL, airl.Config(gamma=GAMMA, hidden=(64,))),
    ],
)
def test_what_is_learned_in_turns_is_the_soft_optimal_policy(
    oracle: Oracle, kind: type, config: object
) -> None:
    """The policy moves a little towards what is best for the reward, whose gradient step it awaits."""
    torch.manual_seed(0)
    spec = oracle.spec
    reward = kind(spec, spec.obs, config)
    optimiser = torch.optim.Adam(reward.parameters(), 5e-3)
    fall = torch.optim.lr_scheduler.PolynomialLR(optimiser, 2000)
    policy = torch.full_like(oracle.expert, 1 / spec.actions)
    expert = oracle.visits(oracle.expert)
    for turn in range(2000):
        shown, lived = (deeds(oracle, weight, policy) for weight in (expert, oracle.visits(policy)))
        optimiser.zero_grad()
        torch.stack(list(reward.losses(shown, lived).values())).sum().backward()
        optimiser.step()
        fall.step()
        if turn % 3 == 0:
            policy = improved(oracle, policy, reward, lived)
    assert apart(oracle, policy) <= 0.01
    if kind is airl.AIRL:
        with torch.no_grad():
            found = reward.recovered_reward(lived.z, lived.action).view(oracle.leads.shape)[:, 0, 0]
        assert float(torch.corrcoef(torch.stack([found, oracle.reward]))[0, 1]) >= 0.98


@torch.no_grad()
def improved(oracle: Oracle, policy: Tensor, reward: AdversarialReward, lived: DiscriminatorBatch) -> Tensor:
    """One step of natural policy gradient: π ∝ π exp(η A), A of the reward that is paid."""
    paid = reward.policy_reward(lived).view(oracle.leads.shape)
    earned = (oracle.leads * paid).sum(-1)
    moves = torch.einsum("sa,sat->st", policy, oracle.leads)
    value = torch.linalg.solve(torch.eye(len(policy)) - GAMMA * moves, (policy * earned).sum(-1))
    advantage = earned + GAMMA * oracle.leads @ value - value.unsqueeze(-1)
    return (policy.log() + 0.1 * advantage).softmax(-1)


def deeds(oracle: Oracle, weight: Tensor, policy: Tensor) -> DiscriminatorBatch:
    z, action, after = enumerated(oracle)
    log_prob = policy.log()[z[0].argmax(-1), action[0].argmax(-1)].unsqueeze(0)
    none = torch.zeros_like(log_prob)
    return DiscriminatorBatch(z, action, after, weight.flatten().unsqueeze(0), none, none, log_prob)


@pytest.mark.parametrize("oracle", CERTAIN)
def test_guided_costs_explain_whole_trials(oracle: Oracle) -> None:
    """Every trial of four steps once, as from a policy unlike the expert: its weights make up for it."""
    torch.manual_seed(0)
    spec = oracle.spec
    chosen = torch.cartesian_prod(*[torch.arange(spec.actions)] * spec.horizon)  # [M, H]
    led = oracle.leads.argmax(-1)
    places = [torch.zeros(len(chosen), dtype=torch.long)]
    for step in range(spec.horizon):
        places.append(led[places[-1], chosen[:, step]])
    at = torch.stack(places, 1)
    paid = oracle.reward[at[:, 1:]].sum(1)  # of where it leads to, so that all four choices matter
    chance = paid.softmax(0)  # of a trial, by the soft-optimal policy for four steps
    copies = (chance * 256 * spec.obs).round().long()
    states, actions = torch.eye(spec.obs), torch.eye(spec.actions)

    def trials(rows: Tensor) -> DiscriminatorBatch:
        count = torch.ones(len(rows), spec.horizon)
        none, even = torch.zeros_like(count), torch.full_like(count, 1 / spec.actions).log()
        clock = torch.eye(spec.horizon).expand(len(rows), -1, -1)
        z = torch.cat([states[at[rows, :-1]], clock], -1)
        return DiscriminatorBatch(z, actions[chosen[rows]], z, count, none, none, even)

    shown = trials(torch.arange(len(chosen)).repeat_interleave(copies))
    every = torch.arange(len(chosen)).repeat(len(shown.z) // len(chosen) + 1)[: len(shown.z)]
    model = gcl.GCL(spec, spec.obs + spec.horizon, gcl.Config(decay=0.0, hidden=(64,)))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    fall = torch.optim.lr_scheduler.PolynomialLR(optimiser, 400)
    lived = trials(every)
    for _ in range(400):
        optimiser.zero_grad()
        torch.stack(list(model.losses(shown, lived).values())).sum().backward()
        optimiser.step()
        fall.step()
    with torch.no_grad():
        once = trials(torch.arange(len(chosen)))
        explained = model.policy_reward(once).sum(1).softmax(0)
    assert float((explained - chance).abs().sum() / 2) <= 0.01
    assert 1 < float(model.effective_sample_size(shown, lived)) <= 2 * len(shown.z)


def conservative(oracle: Oracle, doubted: Tensor) -> Tensor:
    """The soft-optimal policy for CLARE's reward, learned in turns; other logs are of acting by chance.

    The model is right, but doubts some states. Many pairs stand for where a policy goes.
    """
    states, actions, _ = oracle.leads.shape
    chance = torch.full_like(oracle.expert, 1 / actions)
    shown, others = (pairs(oracle, policy) for policy in (oracle.expert, chance))
    unsure = doubted.float().repeat_interleave(actions)
    unsure_of = {"shown": unsure[shown], "others": torch.cat([unsure[others], torch.ones(1)])}
    balance = PointwiseWeights.of(unsure_of["shown"], unsure_of["others"], threshold=0.5)
    beta = {
        "shown": balance.weights(unsure[shown], shown=True),
        "others": balance.weights(unsure[others], shown=False),
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
        rows = {"shown": shown, "others": others, "lived": pairs(oracle, policy)}
        paid = {name: Paid(r[at], torch.zeros(())) for name, at in rows.items()}
        optimiser.zero_grad()
        reward_loss(paid, beta, share=0.5, scheme="paper", squares=1e-4).backward()
        optimiser.step()
        fall.step()
    return policy


def pairs(oracle: Oracle, policy: Tensor, count: int = 20_000) -> Tensor:
    """Numbers s · A + a, each as often as the policy comes to it."""
    often = (oracle.visits(policy).sum(-1).flatten() * count).round().long()
    return torch.arange(len(often)).repeat_interleave(often)


@pytest.mark.parametrize("oracle", ORACLES)
def test_clare_that_trusts_its_model_finds_the_soft_optimal_policy(oracle: Oracle) -> None:
    assert apart(oracle, conservative(oracle, doubted=torch.zeros(len(oracle.begins)))) <= 0.01


def test_clare_goes_less_where_its_model_is_in_doubt() -> None:
    oracle = chain()
    there = torch.tensor([0, 0, 0, 0, 1])
    careful = oracle.visits(conservative(oracle, there)).sum((1, 2))
    assert careful[4] < oracle.visits(oracle.expert).sum((1, 2))[4] / 2
