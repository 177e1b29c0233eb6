"""The classical MDP rows: what they learn, how they plan, and what that earns beside known simulations."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from metairl.agents.exact import tabular as plans
from metairl.agents.exact.bandits import EpsilonConfig
from metairl.agents.exact.dense_planning import value_iteration
from metairl.agents.exact.tabular_posterior import Posterior, prior
from metairl.core.interfaces import Policy
from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.core.types import Context, NoConfig, PolicyInputs, Spec, Trial
from metairl.envs.tabular import Tabular
from metairl.tasks import catalogue, sampling

SMALL = Spec(obs=2, actions=2, discrete=True, horizon=2, episodes=2, params=12)
FULL = Spec(obs=10, actions=5, discrete=True, horizon=10, episodes=10, params=550)
NOTHING = NoConfig()


def env(lanes: int, episodes: int) -> Tabular:
    tasks = sampling.sample_tasks(catalogue.task("tabular-mdp"), lanes, stream("test-rows", "tasks"))
    return Tabular(tasks, 10, episodes, stream("test-rows", "world"))


def trial_of(policy: Policy, mdps: Tabular, told: bool = False) -> Trial:
    return rollout(policy, mdps, stream("test-rows", "act"), PolicyInputs(task=told))


def context(state: int, action: int | None, reward: float, done: bool, spec: Spec = SMALL) -> Context:
    """One lane in `state`, after `action` earned `reward`; no action at a trial's start."""
    obs, before = torch.zeros(1, 1, spec.obs), torch.zeros(1, 1, spec.actions)
    obs[0, 0, state] = 1
    if action is not None:
        before[0, 0, action] = 1
    return Context(obs, before, torch.full((1, 1), reward), torch.full((1, 1), float(done)))


def at(state: int) -> Tensor:
    return torch.eye(2)[None, state]


def lived(lanes: int = 8, episodes: int = 4) -> Posterior:
    """What is known after some episodes, a different history in every lane."""
    mdps, policy = env(lanes, episodes), plans.EpsilonGreedy(FULL, EpsilonConfig(0.5))
    rng, obs, state = stream("test-rows", "lived"), mdps.reset(), policy.initial(lanes)
    before, reward, done = torch.zeros(lanes, 5), torch.zeros(lanes), torch.zeros(lanes)
    for _ in range(10 * episodes):
        seen = Context(obs[:, None], before[:, None], reward[:, None], done[:, None])
        action, state = policy.act(seen, state, rng)
        step = mdps.step(action)
        obs, before, reward, done = step.obs, torch.eye(5)[action], step.reward, step.done.float()
    return Posterior(*state[:3])


def test_two_observations_by_hand() -> None:
    # From state 0, action 1 earns 2 and leads to 1. There action 0 earns −1 and ends the episode.
    known = prior(SMALL, 1, 1.0)
    known = known.after(at(0), context(state=1, action=1, reward=2.0, done=False))
    known = known.after(at(1), context(state=0, action=0, reward=-1.0, done=True))
    # m(0, 1) = (1 + 2) / 2,  m(1, 0) = (1 − 1) / 2, the others as the prior has them
    assert_close(known.mean_rewards(), torch.tensor([[[1.0, 1.5], [0.0, 1.0]]]))
    assert_close(known.visits, torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))
    # P(· | 0, 1) = (1, 2) / 3; the end of the episode says nothing of P(· | 1, 0)
    even = [0.5, 0.5]
    assert_close(known.mean_transitions(), torch.tensor([[[even, [1 / 3, 2 / 3]], [even, even]]]))


def test_the_first_context_of_a_trial_teaches_nothing() -> None:
    start, first = prior(SMALL, 1, 1.0), context(state=0, action=None, reward=0.0, done=False)
    after = start.after(torch.zeros(1, 2), first)
    for ours, before in zip(vars(after).values(), vars(start).values(), strict=True):
        assert_close(ours, before)


def test_a_reset_is_no_transition_but_its_reward_counts() -> None:
    """Against a plain count of whole trials: 3 episodes of 10 steps have 9 transitions each."""
    lanes, episodes = 3, 3
    mdps, policy = env(lanes, episodes), plans.PSRL(FULL, plans.PSRLConfig())
    lived_trial = trial_of(policy, mdps)
    seen, state = lived_trial.context(PolicyInputs()), policy.initial(lanes)
    counts, sums = torch.zeros(lanes, 10, 5, 10), torch.ones(lanes, 10, 5)
    assert seen.prev_reward is not None
    for t in range(10 * episodes):
        now = Context(
            seen.obs[:, [t]], seen.prev_action[:, [t]], seen.prev_reward[:, [t]], seen.prev_done[:, [t]]
        )
        _, state = policy.act(now, state, stream("any", t))
        for lane in range(lanes if t else 0):
            s, a = int(lived_trial.obs[lane, t - 1].argmax()), int(lived_trial.action[lane, t - 1])
            sums[lane, s, a] += lived_trial.outcome.reward[lane, t - 1]
            if t % 10:
                counts[lane, s, a, int(lived_trial.obs[lane, t].argmax())] += 1
    assert_close(state[0], counts)
    assert_close(state[2], sums)
    assert state[0].sum().item() == 9 * episodes * lanes
    assert state[1].sum().item() == (10 * episodes - 1) * lanes


def test_a_lane_plans_when_its_own_episode_starts_and_not_before() -> None:
    policy, rng = plans.PSRL(SMALL, plans.PSRLConfig()), stream("lanes")
    _, state = policy.act(
        both(context(0, None, 0.0, False), context(0, None, 0.0, False)), policy.initial(2), rng
    )
    state = (*state[:3], torch.full_like(state[3], 7), *state[4:])  # a plan that no planner makes
    action, state = policy.act(both(context(0, 0, 1.0, True), context(1, 0, 1.0, False)), state, rng)
    assert (state[3][0] < 2).all() and (state[3][1] == 7).all()
    assert action[0] < 2 and action[1] == 7
    assert state[5].tolist() == [1, 2]


def both(first: Context, second: Context) -> Context:
    assert first.prev_reward is not None and second.prev_reward is not None
    return Context(
        torch.cat([first.obs, second.obs]),
        torch.cat([first.prev_action, second.prev_action]),
        torch.cat([first.prev_reward, second.prev_reward]),
        torch.cat([first.prev_done, second.prev_done]),
    )


def test_samples_have_the_posterior_mean_and_spread() -> None:
    known = lived(lanes=1)
    many = Posterior(*(x.expand(4000, *x.shape[1:]) for x in vars(known).values()))
    rng = stream("moments")
    rewards, transitions = many.sample_rewards(rng), many.sample_transitions(rng)
    assert_close(rewards.mean(0), known.mean_rewards()[0], atol=0.08, rtol=0)  # 5 standard errors
    assert_close(rewards.var(0), 1 / (1 + known.visits[0]), atol=0, rtol=0.12)
    assert_close(transitions.mean(0), known.mean_transitions()[0], atol=0.012, rtol=0)
    p, total = known.mean_transitions()[0], 10 + known.counts[0].sum(-1, keepdim=True)
    assert_close(transitions.var(0), p * (1 - p) / (total + 1), atol=2e-3, rtol=0.2)


def test_an_exploration_bonus_is_a_higher_prior_mean() -> None:
    """m̄ + β / (1 + n) = (μ₀ + β + Σ r) / (1 + n)."""
    known, now, rng = lived(), context(0, None, 0.0, False, FULL), stream("none")
    bonus = plans.BEB(FULL, plans.BEBConfig(1.5)).plan(known, now, rng)
    raised = plans.Greedy(FULL, NOTHING).plan(replace(known, sums=known.sums + 1.5), now, rng)
    assert (bonus == raised).all()
    assert (bonus != plans.Greedy(FULL, NOTHING).plan(known, now, rng)).any()


@pytest.mark.parametrize(
    "policy",
    [
        plans.BEB(FULL, plans.BEBConfig(0.0)),
        plans.UCRL2(FULL, plans.UCRL2Config(0.0)),
        plans.EpsilonGreedy(FULL, EpsilonConfig(0.0)),
    ],
)
def test_without_exploration_every_row_is_greedy(policy: plans.PlanningRule) -> None:
    known, now, rng = lived(), context(0, None, 0.0, False, FULL), stream("none")
    greedy = plans.Greedy(FULL, NOTHING).plan(known, now, rng)
    agree = (policy.plan(known, now, rng) == greedy).double().mean()
    assert agree > 0.995  # all, but for ties that rounding breaks
    action = torch.arange(5)
    assert (policy.chosen(action, rng) == action).all()


def test_epsilon_is_the_share_of_random_actions() -> None:
    policy, planned = plans.EpsilonGreedy(FULL, EpsilonConfig(0.5)), torch.full((100_000,), 3)
    shares = policy.chosen(planned, stream("epsilon")).bincount(minlength=5) / len(planned)
    assert_close(shares, torch.tensor([0.1, 0.1, 0.1, 0.6, 0.1]), atol=0.006, rtol=0)


def test_the_optimist_of_one_sample_is_psrl_and_of_more_takes_the_envelope() -> None:
    known, now = lived(), context(0, None, 0.0, False, FULL)
    one, three = (plans.OPSRL(FULL, plans.OPSRLConfig(samples)) for samples in (1, 3))
    psrl = plans.PSRL(FULL, plans.PSRLConfig()).plan(known, now, stream("draw"))
    assert (one.plan(known, now, stream("draw")) == psrl).all()
    rng = stream("draw")
    envelope = torch.stack([one.sampled_values(known, rng) for _ in range(3)]).amax(0)
    assert (three.plan(known, now, stream("draw")) == envelope.argmax(-1)).all()


def test_ucrl2_bonus_by_hand() -> None:
    # S = A = 2. (0, 0) was seen three times, so t = 3 and n = 4 with the prior's visit; elsewhere n = 1.
    # bonus = √(7 ln 24 / 2n) = 1.66757 at (0, 0), 3.33515 elsewhere. One step: V = max_a m̄ + bonus.
    spec = replace(SMALL, horizon=1)
    visits, sums = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    visits[0, 0, 0] = 3
    for total, action, best in ((10.0, 1, 1 + 3.33515), (12.0, 0, 3 + 1.66757)):
        sums[0, 0, 0] = total
        plan, value = plans.UCRL2(spec, plans.UCRL2Config(1.0)).optimistic(
            Posterior(torch.zeros(1, 2, 2, 2), visits, sums)
        )
        assert plan[0, 0].tolist() == [action, 0]
        assert_close(value[0, 0], torch.tensor([best, 4.33515]))
    assert math.isclose(math.sqrt(7 * math.log(24) / 8), 1.66757, abs_tol=1e-5)


def test_ucrl2_transitions_by_hand() -> None:
    # Nothing seen, so t = 1 and n = 1; m̄ = 1 in state 0 and 3 in state 1; c = 0.1; two steps.
    # bonus = 0.1 √(7 ln 8 / 2) = 0.269779, radius = 0.1 √(28 ln 4) = 0.623027
    # V_1 = 1.269779, 3.269779;  P(1) = (1 + radius) / 2 = 0.811514;  E V_1 = 1.269779 + 2 P(1) = 2.892806
    sums = torch.tensor([[[1.0, 1.0], [3.0, 3.0]]])
    known = replace(prior(SMALL, 1, 1.0), sums=sums)
    value = plans.UCRL2(SMALL, plans.UCRL2Config(0.1)).optimistic(known)[1]
    assert_close(value, torch.tensor([[[4.162585, 6.162585], [1.269779, 3.269779]]]))


def test_ucrl2_with_wide_confidence_bounds_the_truth() -> None:
    known, mdps = lived(), env(8, 4)
    transitions = mdps.task[:, :500].view(8, 10, 5, 10)
    truth = value_iteration(transitions, mdps.task[:, 500:].view(8, 10, 5), 10)[1]
    wide = plans.UCRL2(FULL, plans.UCRL2Config(10.0)).optimistic(known)[1]
    assert (wide >= truth).all()
    assert not (plans.UCRL2(FULL, plans.UCRL2Config(0.0)).optimistic(known)[1] >= truth).all()


CELLS = {  # name: row, told, lanes, {episodes: expected}, relative tolerance
    # a simulation of the same model by other code, 1,500 MDPs
    "psrl": (plans.PSRL(FULL, plans.PSRLConfig()), False, 1000, {10: 133.3, 25: 403.2}, 0.02),
    "greedy": (plans.Greedy(FULL, NOTHING), False, 1000, {10: 149.8, 25: 425.8}, 0.02),
    "bound": (plans.ValueIteration(FULL, NOTHING), True, 2000, {10: 218.4}, 0.01),
    # printed in Duan et al. 2016, whose prior mean of rewards was 0, to judge by these figures
    "printed psrl": (plans.PSRL(FULL, plans.PSRLConfig(0.0)), False, 1000, {10: 138.1, 25: 408.8}, 0.02),
    "printed opsrl": (plans.OPSRL(FULL, plans.OPSRLConfig(10, 0.0)), False, 400, {10: 144.1}, 0.02),
}


@pytest.mark.parametrize("name", CELLS)
def test_figures(name: str) -> None:
    policy, told, lanes, known, tolerance = CELLS[name]
    so_far = trial_of(policy, env(lanes, max(known)), told).outcome.reward.double().mean(0).cumsum(0)
    for episodes, figure in known.items():
        assert so_far[10 * episodes - 1].item() == pytest.approx(figure, rel=tolerance)
