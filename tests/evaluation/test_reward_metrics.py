"""Measures of explanations: what they must not notice, what they must, and numbers by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metairl.agents.exact.planning import HARD, plan
from metairl.core.records import Evaluation
from metairl.core.rng import stream
from metairl.core.types import PolicyInputs
from metairl.evaluation import reward_metrics
from metairl.evaluation.protocol import StepCounts, meta_test
from metairl.rewards.irl.solution import IRLSolution
from metairl.tasks import catalogue, sampling

CARD = catalogue.task("random-mdp")
TASKS = sampling.task_set(CARD, "validation")


def explained(reward: Tensor) -> IRLSolution:
    true = reward_metrics.truth(CARD, TASKS)
    return IRLSolution(plan(true.mdp, reward, CARD.horizon, HARD).policy, reward)


def judged(policy: IRLSolution) -> Evaluation:
    [evaluation] = meta_test(policy, CARD, TASKS, PolicyInputs(reward=False), 0, StepCounts())
    return evaluation


def of(reward: Tensor) -> dict[str, Tensor]:
    found = explained(reward)
    return {
        name: torch.tensor(values)
        for name, values in reward_metrics.measured(found, CARD, TASKS, judged(found)).items()
    }


def test_the_true_reward_loses_nothing_at_any_scale() -> None:
    true = reward_metrics.truth(CARD, TASKS).reward
    for reward in (true, 3 * true - 7):
        found = of(reward)
        for name, value in {"value-difference": 0, "in-wind": 0, "agreement": 1, "correlation": 1}.items():
            torch.testing.assert_close(found[name], torch.full_like(found[name], value), atol=1e-5, rtol=0)
        assert found["epic"].abs().max() < 1e-3


def test_the_opposite_reward_is_as_far_as_can_be() -> None:
    found = of(-reward_metrics.truth(CARD, TASKS).reward)
    torch.testing.assert_close(found["epic"], torch.ones(20))
    torch.testing.assert_close(found["correlation"], -torch.ones(20))
    assert found["value-difference"].min() > 1 and found["agreement"].max() < 0.5


def test_a_reward_that_says_nothing_has_no_correlation() -> None:
    found = of(torch.zeros_like(reward_metrics.truth(CARD, TASKS).reward))
    assert found["correlation"].isnan().all() and found["epic"].isnan().all()


def test_the_difference_is_what_the_judge_samples() -> None:
    """Computed and judged, over the tasks: within four standard errors."""
    rng = stream("measures")
    policy = explained(torch.randn(20, 20, generator=rng, dtype=torch.float64))
    exact = torch.tensor(reward_metrics.measured(policy, CARD, TASKS, judged(policy))["value-difference"])
    class_free = replace(policy)
    true = reward_metrics.truth(CARD, TASKS)
    best = plan(true.mdp, true.reward, CARD.horizon, HARD)
    most = (best.value[:, 0] * true.mdp.start).sum(1)
    sampled = most - torch.tensor(judged(class_free).returns, dtype=torch.float64)
    apart = sampled - exact
    assert apart.mean().abs() < 4 * apart.std() / 20**0.5


@pytest.mark.parametrize("discount", [0.0, 0.9, 1.0])
def test_epic_does_not_notice_shaping_nor_scale(discount: float) -> None:
    rng = stream("epic")
    reward = torch.randn(3, 6, 2, 6, generator=rng, dtype=torch.float64)
    potential = torch.randn(3, 6, generator=rng, dtype=torch.float64)
    shaped = 2 * reward + 5 + discount * potential[:, None, None, :] - potential[:, :, None, None]
    assert reward_metrics.epic(reward, shaped, discount).max() < 1e-6
    other = torch.randn(3, 6, 2, 6, generator=rng, dtype=torch.float64)
    far = reward_metrics.epic(reward, other, discount)
    torch.testing.assert_close(reward_metrics.epic(shaped, other, discount), far, atol=1e-7, rtol=0)
    assert far.min() > 0.3 and reward_metrics.correlation(reward, shaped).max() < 0.99


def test_of_states_alone_epic_is_of_the_correlation() -> None:
    rng = stream("epic", "states")
    first, second = (torch.randn(4, 6, generator=rng, dtype=torch.float64) for _ in range(2))
    wide = [r[:, :, None, None].expand(4, 6, 2, 6) for r in (first, second)]
    torch.testing.assert_close(
        reward_metrics.epic(wide[0], wide[1], 0.9),
        reward_metrics.distance(reward_metrics.correlation(first, second)),
    )


def test_wind_blows_whatever_is_done() -> None:
    chart = reward_metrics.truth(CARD, TASKS).mdp
    blown = reward_metrics.windy(chart)
    torch.testing.assert_close(blown.probs.sum(-1), torch.ones_like(blown.probs[..., 0]))
    torch.testing.assert_close(blown.probs[..., 0], 0.7 * chart.probs[..., 0] + 0.3)


def test_who_recovers_no_reward_has_no_measures_of_one() -> None:
    true = reward_metrics.truth(CARD, TASKS)
    policy = IRLSolution(plan(true.mdp, true.reward, CARD.horizon, HARD).policy, None)
    found = reward_metrics.measured(policy, CARD, TASKS, judged(policy))
    assert set(found) == {"value-difference", "in-wind", "agreement"}
    assert max(found["value-difference"]) == 0 < max(found["in-wind"])
