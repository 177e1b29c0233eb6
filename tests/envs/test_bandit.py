"""The worlds are the paper's: chances, noise, starts, horizons."""

import torch
from torch import tensor
from torch.testing import assert_close

from metairl.core.rng import stream
from metairl.envs.bandit import Bandit
from metairl.envs.tabular import Tabular


def two_state_world(lanes: int, noise: str) -> Tabular:
    """Action 0 stays, action 1 goes to the other state; the reward mean is 10 s + a."""
    stay_or_go = tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])  # [S, A, S]
    means = tensor([[0.0, 1.0], [10.0, 11.0]])
    tasks = {"transitions": stay_or_go.expand(lanes, 2, 2, 2), "reward_means": means.expand(lanes, 2, 2)}
    return Tabular(tasks, horizon=3, episodes=2, rng=stream(noise))


def test_bandit_pays_with_its_arms_chance() -> None:
    env = Bandit({"arm_means": tensor([0.2, 0.9]).expand(20_000, 2)}, 10, 1, stream("pay"))
    for arm, chance in ((0, 0.2), (1, 0.9)):
        reward = env.step(torch.full((20_000,), arm)).reward
        assert set(reward.unique().tolist()) <= {0.0, 1.0}
        assert abs(reward.mean().item() - chance) < 0.015


def test_bandit_ends_after_its_pulls() -> None:
    env = Bandit({"arm_means": torch.rand(4, 3)}, horizon=3, episodes=1, rng=stream("end"))
    env.reset()
    ends = [env.step(torch.zeros(4, dtype=torch.int64)).done.tolist() for _ in range(3)]
    assert ends == [[False] * 4, [False] * 4, [True] * 4]


def test_time_limits_are_truncations() -> None:
    env = two_state_world(2, "limit")
    env.reset()
    steps = [env.step(torch.ones(2, dtype=torch.int64)) for _ in range(3)]
    assert not any(step.terminated.any() for step in steps)
    assert steps[-1].truncated.all()


def test_tabular_moves_rewards_and_starts_again_in_state_zero() -> None:
    env = two_state_world(5_000, "moves")
    assert env.reset().argmax(1).unique().tolist() == [0]
    go = torch.ones(5_000, dtype=torch.int64)
    first, second, third = (env.step(go) for _ in range(3))
    assert first.obs.argmax(1).unique().tolist() == [1]
    assert_close(first.reward.mean(), tensor(1.0), atol=0.06, rtol=0)
    assert_close(second.reward.mean(), tensor(11.0), atol=0.06, rtol=0)
    assert_close(second.reward.std(), tensor(1.0), atol=0.04, rtol=0)
    assert third.obs.argmax(1).unique().tolist() == [0]  # the next episode's start
    assert third.next_obs.argmax(1).unique().tolist() == [1]  # where the last step led


def test_tabular_transitions_have_their_chances() -> None:
    probs = tensor([0.1, 0.2, 0.3, 0.4]).expand(20_000, 4, 1, 4)
    env = Tabular({"transitions": probs, "reward_means": torch.zeros(20_000, 4, 1)}, 9, 1, stream("chances"))
    env.reset()
    reached = env.step(torch.zeros(20_000, dtype=torch.int64)).obs.mean(0)
    assert_close(reached, tensor([0.1, 0.2, 0.3, 0.4]), atol=0.015, rtol=0)
