"""Maximum-entropy IRL: the true reward from many demonstrations, feature matching, and the prior."""

import torch
from gridworlds import HORIZON, SPEC, gridworlds, sample_demonstrations

from metairl.agents.exact.planning import HARD, SOFT, plan, value_of, visits
from metairl.rewards.irl import maxent
from metairl.rewards.irl.solution import expert_visitation, feature_expectations, with_demo_starts


def test_many_soft_demonstrations_recover_the_true_reward() -> None:
    made = gridworlds(4, 0.2)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 2000)
    solution = maxent.MaxEnt(SPEC, maxent.Config(precision=1e-6)).fit(made.mdp, demos)
    assert solution.reward is not None
    recovered = solution.reward - solution.reward.mean(1, keepdim=True)
    true = made.reward - made.reward.mean(1, keepdim=True)
    assert (recovered - true).abs().max() < 0.25
    assert solution.rounds[-1]["gap"].max() < 0.6 < solution.rounds[0]["gap"].max()
    best = plan(made.mdp, made.reward, HORIZON, HARD).policy
    loss = value_of(made.mdp, made.reward, best) - value_of(made.mdp, made.reward, solution.policy)
    assert loss.max() < 0.05


def test_soft_policy_matches_expert_feature_expectations() -> None:
    made = gridworlds(3, 0.2)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, SOFT).policy, 50)
    model = maxent.MaxEnt(SPEC, maxent.Config(precision=1e-6, tolerance=1e-4, rounds=1000))
    solution = model.fit(made.mdp, demos)
    assert solution.reward is not None
    starts = with_demo_starts(made.mdp, demos)
    policy = plan(starts, solution.reward, HORIZON, SOFT).policy
    learned = feature_expectations(made.mdp, visits(starts, policy))
    expert = feature_expectations(made.mdp, expert_visitation(made.mdp, demos))
    torch.testing.assert_close(learned, expert, atol=2e-4, rtol=0)


def test_a_more_precise_prior_shrinks_the_reward() -> None:
    made = gridworlds(2, 0.2)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, HARD).policy, 3)
    sizes = []
    for precision in (1e6, 10.0, 0.1):
        solution = maxent.MaxEnt(SPEC, maxent.Config(precision=precision)).fit(made.mdp, demos)
        assert solution.reward is not None
        sizes.append(solution.reward.abs().max().item())
    assert sizes[0] < 1e-3 < sizes[0] * 100 < sizes[1] < sizes[2]
