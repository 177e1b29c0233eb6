"""Meta-training of IRL: a learned prior helps on new tasks, and its training resumes exactly."""

import pytest
import torch
from gridworlds import HORIZON, SPEC, gridworlds, sample_demonstrations

from metairl.agents.exact.planning import HARD, plan, value_of
from metairl.rewards.irl import deep_maxent, maxent
from metairl.training import irl_prior


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_a_prior_from_training_tasks_helps_with_one_demonstration(name: str) -> None:
    """Thirty training tasks of equal reward weights; then one demonstration each of eight other tasks."""
    train, test = gridworlds(30, 0.2, seed=1), gridworlds(8, 0.2, seed=2)
    train_policy, test_policy = (plan(made.mdp, made.reward, HORIZON, HARD).policy for made in (train, test))
    train_demos = sample_demonstrations(train.mdp, train_policy, 20, seed=1)
    demos = sample_demonstrations(test.mdp, test_policy, 1, seed=2)
    torch.manual_seed(0)
    model: maxent.MaxEnt | deep_maxent.DeepMaxEnt = (
        maxent.MaxEnt(SPEC, maxent.Config())
        if name == "linear"
        else deep_maxent.DeepMaxEnt(SPEC, deep_maxent.Config(hidden=(8,), rounds=100))
    )
    from_scratch = model.fit(test.mdp, demos)
    config = irl_prior.Config(learning_rate=0.05, rounds=10)
    loop = irl_prior.IRLPrior(model, train.mdp, train_demos, config, seed=0)
    first = loop.iterate(0.0)
    for _ in range(20):
        last = loop.iterate(0.0)
    assert last["gap"] < first["gap"] and loop.clock == 210
    with_prior = model.fit(test.mdp, demos)
    best = value_of(test.mdp, test.reward, test_policy)
    loss = [
        (best - value_of(test.mdp, test.reward, solution.policy)).mean().item()
        for solution in (from_scratch, with_prior)
    ]
    assert loss[1] < 0.5 * loss[0]


def test_prior_training_resumes_exactly() -> None:
    made = gridworlds(4, 0.2)
    demos = sample_demonstrations(made.mdp, plan(made.mdp, made.reward, HORIZON, HARD).policy, 3)

    def fresh() -> irl_prior.IRLPrior:
        return irl_prior.IRLPrior(
            maxent.MaxEnt(SPEC, maxent.Config()), made.mdp, demos, irl_prior.Config(rounds=10), 0
        )

    straight, stopped = fresh(), fresh()
    for _ in range(4):
        straight.iterate(0.0)
    stopped.iterate(0.0)
    resumed = fresh()
    resumed.load(stopped.state())
    for _ in range(3):
        resumed.iterate(0.0)
    for name, value in straight.networks.state_dict().items():
        assert torch.equal(value, resumed.networks.state_dict()[name]), name
    assert resumed.clock == straight.clock == 40
