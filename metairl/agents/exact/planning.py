"""Planning on charts, batched over tasks, in steps of an episode or discounted for ever.

    Q_h(s, a) = r(s) + γ Σ_s′ P(s′ | s, a) V_{h+1}(s′),    V_H = 0
    V_h(s) = τ log Σ_a exp(Q_h(s, a) / τ),    π_h(a | s) = exp((Q_h(s, a) − V_h(s)) / τ)      soft, τ > 0
    V_h(s) = max_a Q_h(s, a),                 π_h the lowest action that attains it             hard, τ = 0

    d_0 = ρ,    d_{h+1}(s′) = Σ_s,a d_h(s) π_h(a | s) P(s′ | s, a)
    visits(s) = Σ_h γ^h d_h(s),    value = Σ_s visits(s) r(s)

The soft policy is that of maximum causal entropy (Ziebart 2010). For ever, V is the fixed point, reached
within a tolerance, and one π serves all steps.

Inside, states stand last: there are many of them, and few actions and successors.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metairl.core.types import FiniteMDP

BITE = 2**16  # numbers
SOFT, HARD = 1.0, 0.0  # τ


@dataclass(frozen=True)
class Plan:
    """H = 1 where it is for ever."""

    policy: Tensor  # [B, H, S, A]
    value: Tensor  # [B, H, S]


def plan(chart: FiniteMDP, reward: Tensor, horizon: int, temperature: float, discount: float = 1.0) -> Plan:
    """The best policy for a reward [B, S], or [B, S, A] of actions too, in episodes of so many steps."""
    lanes, states, actions = len(chart), reward.shape[1], chart.probs.shape[2]
    policy = reward.new_empty(lanes, horizon, actions, states)
    value = reward.new_empty(lanes, horizon, states)
    unit = temperature or 1.0  # the plan for r / τ at temperature 1 is that for r at τ
    by_action = reward.unsqueeze(-1) if reward.dim() == 2 else reward

    def plan_some(rows: slice) -> None:
        backup, now = _backup(chart[rows]), (by_action[rows] / unit).transpose(1, 2)
        after = reward.new_zeros(now.shape[0], states)
        for step in reversed(range(horizon)):
            q = torch.add(now, backup(after), alpha=discount)
            after = _improved(q, temperature == HARD, policy[rows, step])
            value[rows, step] = after

    _in_bites(plan_some, chart)
    return Plan(policy.transpose(2, 3), value.mul_(unit))


def plan_forever(
    chart: FiniteMDP, reward: Tensor, temperature: float, discount: float, tolerance: float = 1e-8
) -> Plan:
    """The same without an end; γ < 1."""
    if not 0 <= discount < 1 or not bool(reward.isfinite().all()):
        raise ValueError("for ever there is a plan where 0 ≤ γ < 1 and every reward is a number")
    backup, value, unit = _backup(chart), torch.zeros_like(reward), temperature or 1.0
    policy = reward.new_empty(len(chart), chart.probs.shape[2], reward.shape[1])
    while True:
        q = torch.add(reward.unsqueeze(1) / unit, backup(value), alpha=discount)
        after = _improved(q, temperature == HARD, policy)
        if unit * (after - value).abs().max() * discount / (1 - discount) <= tolerance:
            return Plan(policy.unsqueeze(1).transpose(2, 3), unit * after.unsqueeze(1))
        value = after


def action_values(chart: FiniteMDP, reward: Tensor, best: Plan) -> Tensor:
    """Q [B, H, S, A] of a plan for episodes, undiscounted."""
    after = torch.cat([best.value[:, 1:], torch.zeros_like(best.value[:, :1])], dim=1)
    q = torch.empty_like(best.policy)

    def value_some(rows: slice) -> None:
        backup = _backup(chart[rows])
        for step in range(after.shape[1]):
            q[rows, step] = (reward[rows].unsqueeze(1) + backup(after[rows, step])).transpose(1, 2)

    _in_bites(value_some, chart)
    return q


def expected_after(chart: FiniteMDP, value: Tensor) -> Tensor:
    """Σ_s′ P(s′ | s, a) V(s′), [B, S, A], of V [B, S]."""
    return _backup(chart)(value).transpose(1, 2)


def visits_by_step(chart: FiniteMDP, policy: Tensor) -> Tensor:
    """d [B, H, S] of a policy [B, H, S, A]: where it is at every step."""
    seen = policy.new_empty(policy.shape[:3])

    def follow_some(rows: slice) -> None:
        forward, now = _forward(chart[rows]), chart.start[rows]
        for step in range(policy.shape[1]):
            seen[rows, step] = now
            now = forward(now, policy[rows, step])

    _in_bites(follow_some, chart)
    return seen


def visits(chart: FiniteMDP, policy: Tensor, discount: float = 1.0) -> Tensor:
    """[B, S], summed over the steps of an episode."""
    by_step = visits_by_step(chart, policy)
    weights = discount ** torch.arange(policy.shape[1], dtype=by_step.dtype, device=by_step.device)
    return torch.einsum("bhs,h->bs", by_step, weights)


def visits_forever(chart: FiniteMDP, policy: Tensor, discount: float, tolerance: float = 1e-10) -> Tensor:
    """[B, S] of one policy for all steps, [B, 1, S, A]; they sum to 1 / (1 − γ)."""
    forward, now = _forward(chart), chart.start
    seen, weight = now.clone(), 1.0
    while weight > tolerance * (1 - discount):
        now = forward(now, policy[:, 0])
        weight *= discount
        seen += weight * now
    return seen


def value_of(chart: FiniteMDP, reward: Tensor, policy: Tensor) -> Tensor:
    """[B], the expected return of an episode."""
    return (visits(chart, policy) * reward).sum(1)


def _in_bites(work: Callable[[slice], None], chart: FiniteMDP) -> None:
    """Few enough tasks at once that what is computed stays in the cache, in as many threads as torch has.

    Which tasks go together does not depend on the threads, so numbers do not either.
    """
    lanes, states, most = chart.successors.shape
    size = max(1, BITE // (states * most))
    bites = [slice(first, first + size) for first in range(0, lanes, size)]
    threads = min(torch.get_num_threads(), len(bites))
    if threads == 1:
        for rows in bites:
            work(rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, bites))


def _improved(q: Tensor, hard: bool, policy: Tensor) -> Tensor:
    """Q [B, A, S] to V [B, S]; π is written into a tensor of Q's shape, and Q is spent."""
    highest = q.amax(1, keepdim=True)
    if hard:
        policy.copy_(one_hot(q.argmax(1), q.shape[1]).transpose(1, 2))
        return highest.squeeze(1)
    weight = q.sub_(highest).exp_()
    total = weight.sum(1, keepdim=True)
    torch.mul(weight, total.reciprocal(), out=policy)
    return total.log_().add_(highest).squeeze(1)


def _backup(chart: FiniteMDP) -> Callable[[Tensor], Tensor]:
    """V [B, S] -> Σ_s′ P(s′ | s, a) V(s′), [B, A, S]."""
    lanes, states, most = chart.successors.shape
    flat, alike = _flat(chart), chart.probs.shape[1] == 1

    def expected(value: Tensor) -> Tensor:
        after = value.gather(1, flat).view(lanes, most, states)
        return chart.probs[:, 0] @ after if alike else torch.einsum("bsam,bms->bas", chart.probs, after)

    return expected


def _forward(chart: FiniteMDP) -> Callable[[Tensor, Tensor], Tensor]:
    """d [B, S] and π [B, S, A] -> d one step later, [B, S]."""
    flat, alike = _flat(chart), chart.probs.shape[1] == 1

    def moved(now: Tensor, policy: Tensor) -> Tensor:
        done = now.unsqueeze(1) * policy.transpose(1, 2)  # [B, A, S]
        flow = (
            chart.probs[:, 0].transpose(1, 2) @ done
            if alike
            else torch.einsum("bsam,bas->bms", chart.probs, done)
        )
        return torch.zeros_like(now).scatter_add_(1, flat, flow.flatten(1))

    return moved


def _flat(chart: FiniteMDP) -> Tensor:
    """[B, M · S], successor by successor."""
    return chart.successors.transpose(1, 2).flatten(1)
