"""How well demonstrations were explained, computed and not sampled, in worlds whose chart is known.

    value-difference    V*(ρ) − V^π(ρ) in the true reward, of an episode; where a policy has no plan to
                        compute it from, its return is the judge's sample
    in-wind             the same where every step is blown to one side with probability 0.3, whatever is done.
                        The recovered reward is planned for anew; a policy without one acts as it did
    agreement           share of the optimal policy's steps at which π does something optimal too
    correlation         Pearson's, of the recovered and the true reward over states; of actions the mean
    epic                √((1 − ρ) / 2), ρ the correlation of rewards after shaping is taken out of both
                        (Gleave et al. 2021, arXiv:2006.13900); 0 the same, 1 the opposite
    starc               √((1 − ρ) / 2), ρ the correlation of the advantages A(s, a) of acting at random under
                        both rewards, γ the method's: no shaping by that γ moves it, nor for which s′ a reward
                        has its mean reward (Skalse et al. 2024, arXiv:2309.15257)

A reward that is of states alone correlates as its canonical form does: its epic is a function of correlation.
One of states and actions is averaged over actions before, so its epic does not see rewards of actions. One
that reads s′ too, Q(s, a) − γ V(s′), is taken of every triple for epic, on average over s′ for correlation
and starc, as the wind leads for in-wind. So epic takes V away altogether, and what is left is by how much one
action is preferred to another. Plans are of an episode, undiscounted.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from metairl.agents.exact.planning import (
    HARD,
    Plan,
    action_values,
    expected_after,
    plan,
    value_of,
    visits_by_step,
)
from metairl.core.interfaces import Policy
from metairl.core.records import Evaluation
from metairl.core.types import FiniteMDP
from metairl.envs import make
from metairl.rewards.irl.solution import IRLSolution
from metairl.rewards.recovered import PolicyWithReward, RewardTable
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS, FiniteMDPTask
from metairl.tasks.sampling import TaskSet

WIND = 0.3
STEADY = 0.9999  # γ at most, where something goes on for ever
TIE = 1e-6  # action values as near as this are both best


def truth(card: TaskCard, tasks: TaskSet) -> FiniteMDPTask:
    """What is known and unknown of the tasks, in double precision."""
    env = make(card, tasks[:], torch.Generator())
    kind = env.spec.finite_mdp
    assert kind, "a world with a chart"
    return FINITE_MDPS[kind](env.task.double(), env.spec.obs, env.spec.actions)


def measured(policy: Policy, card: TaskCard, tasks: TaskSet, judged: Evaluation) -> dict[str, list[float]]:
    """Every measure that this policy has, a number a task."""
    true = truth(card, tasks)
    best = plan(true.mdp, true.reward, card.horizon, HARD)
    most = value_of(true.mdp, true.reward, best.policy)
    if not isinstance(policy, IRLSolution):
        sampled = {"value-difference": most - torch.tensor(judged.returns, dtype=most.dtype)}
        if isinstance(policy, PolicyWithReward):
            sampled |= _recovered(policy, true, card, tasks)
        return _rounded(sampled)
    values = {"value-difference": most - value_of(true.mdp, true.reward, policy.policy)}
    values["in-wind"] = _in_wind(true, policy, card.horizon)
    values["agreement"] = agreement(true, best, policy.policy)
    if policy.reward is not None:
        alike = correlation(policy.reward, true.reward)
        values |= {"correlation": alike, "epic": distance(alike)}
    return _rounded(values)


def measured_each(
    policies: Sequence[Policy], card: TaskCard, tasks: TaskSet, judged: Evaluation
) -> dict[str, list[float]]:
    """The same where every task has a policy of its own."""
    alone = [
        measured(policy, card, tasks.select(index), replace(judged, returns=[judged.returns[index]]))
        for index, policy in enumerate(policies)
    ]
    return {name: [value for part in alone for value in part[name]] for name in alone[0]}


def _recovered(
    policy: PolicyWithReward, true: FiniteMDPTask, card: TaskCard, tasks: TaskSet
) -> dict[str, Tensor]:
    """Of a reward that was learned beside a policy, in every state of the chart."""
    lanes, states, actions = len(true.mdp), true.reward.shape[1], true.mdp.probs.shape[2]
    seen = torch.eye(states).expand(lanes, -1, -1)
    task = make(card, tasks[:], torch.Generator()).task
    table = policy.table(seen, task, actions).to(true.reward)
    recovered = table.expected(true.mdp)
    alike = correlation(recovered.mean(-1), true.reward)
    chart = windy(true.mdp)
    rewards = (true.reward, table.expected(chart))
    best, own = (plan(chart, reward, card.horizon, HARD).policy for reward in rewards)
    lost = value_of(chart, true.reward, best) - value_of(chart, true.reward, own)
    far = distance(alike) if table.then is None else _epic_each(table, true.reward)
    apart = starc(true.mdp, recovered, true.reward, table.discount)
    return {"in-wind": lost, "correlation": alike, "epic": far, "starc": apart}


def _epic_each(table: RewardTable, reward: Tensor) -> Tensor:
    """Of what was recovered and of rewards [B, S]; a task at a time, since it has S² A triples."""
    found = []
    for lane in range(len(reward)):
        own, true = table.triples(lane), reward[lane, None, :, None, None]
        found.append(epic(own, true.expand_as(own), table.discount))
    return torch.cat(found)


def starc(chart: FiniteMDP, first: Tensor, second: Tensor, discount: float) -> Tensor:
    """Of rewards [B, S, A], or [B, S] of states alone, on a chart."""
    wide = second.unsqueeze(-1).expand_as(first)
    return distance(correlation(*(levelled(chart, reward, discount) for reward in (first, wide))))


def levelled(chart: FiniteMDP, reward: Tensor, discount: float) -> Tensor:
    """r(s, a) + γ Σ_s′ P(s′ | s, a) V(s′) − V(s), V that of acting at random for ever, γ < 1."""
    lanes, states, most = chart.successors.shape
    probs = chart.probs.mean(2).expand(lanes, states, most)
    moves = probs.new_zeros(lanes, states, states).scatter_add(2, chart.successors, probs)
    discount = min(discount, STEADY)
    value = torch.linalg.solve(torch.eye(states).to(moves) - discount * moves, reward.mean(-1))
    better: Tensor = reward + discount * expected_after(chart, value) - value.unsqueeze(-1)
    return better


def agreement(true: FiniteMDPTask, best: Plan, policy: Tensor) -> Tensor:
    q = action_values(true.mdp, true.reward, best)
    as_good = (q >= q.amax(-1, keepdim=True) - TIE).to(policy)
    there = visits_by_step(true.mdp, best.policy)
    share: Tensor = ((policy * as_good).sum(-1) * there).sum((1, 2)) / policy.shape[1]
    return share


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's over all axes but the first; NaN where one of the two does not vary beyond rounding."""
    a, b = (_centred(x.flatten(1)) for x in (first, second))
    alike: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return alike


def _centred(values: Tensor) -> Tensor:
    apart = values - values.mean(1, keepdim=True)
    least = 1e-9 * values.abs().amax(1, keepdim=True)
    return apart.where(apart.abs().amax(1, keepdim=True) > least, 0.0)


def distance(alike: Tensor) -> Tensor:
    return ((1 - alike) / 2).clamp(min=0).sqrt()


def epic(first: Tensor, second: Tensor, discount: float) -> Tensor:
    """Of rewards [B, S, A, S′], every triple and every state alike likely."""
    return distance(correlation(canonical(first, discount), canonical(second, discount)))


def canonical(reward: Tensor, discount: float) -> Tensor:
    """r(s, a, s′) + E[γ r(s′, A, S′) − r(s, A, S′) − γ r(S, A, S′)], which no shaping changes."""
    on_average = reward.mean((2, 3))  # [B, S]
    after, before = on_average[:, None, None, :], on_average[:, :, None, None]
    everywhere = on_average.mean(1)[:, None, None, None]
    return reward + discount * after - before - discount * everywhere


def windy(chart: FiniteMDP) -> FiniteMDP:
    """Blown to the first successor with probability `WIND`."""
    blown = torch.zeros_like(chart.probs)
    blown[..., 0] = WIND
    return FiniteMDP(chart.successors, (1 - WIND) * chart.probs + blown, chart.features, chart.start)


def _in_wind(true: FiniteMDPTask, policy: IRLSolution, horizon: int) -> Tensor:
    chart = windy(true.mdp)
    best = plan(chart, true.reward, horizon, HARD).policy
    own = policy.policy if policy.reward is None else plan(chart, policy.reward, horizon, HARD).policy
    return value_of(chart, true.reward, best) - value_of(chart, true.reward, own)


def _rounded(values: dict[str, Tensor]) -> dict[str, list[float]]:
    return {name: [round(x, 6) for x in column.tolist()] for name, column in values.items()}
