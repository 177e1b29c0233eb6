"""A learned world is a world, and pays what its model says less a penalty."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from metairl.agents.exact.baselines import Random
from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.core.types import NoConfig, PolicyInputs, Spec
from metairl.envs.learned_model import LearnedEnv, Penalty

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=3, episodes=1, params=1)
LANES = 4


@dataclass
class Told:
    """Member i moves by 10^i and pays the action times the task; σ is what it is told to be."""

    sigma: float = 0.0
    elites: Tensor = field(default_factory=lambda: torch.tensor([0, 2]))

    def predict(self, obs: Tensor, action: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
        strides = torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1)
        mean = torch.cat([obs + strides, (action * task).expand(3, -1, -1)], dim=-1)
        return mean, torch.full_like(mean, self.sigma)


def ends_at_two(obs: Tensor) -> Tensor:
    return obs[:, 0] >= 2


def ending() -> LearnedEnv:
    """The n-th time that lanes begin, lane i begins at −100 n − 10 i; a step moves it by 1, five at most."""
    task, started = torch.zeros(2, 1), iter(range(100))

    def begin() -> Tensor:
        return torch.tensor([0.0, -10.0]).unsqueeze(1).expand(2, 2) - 100.0 * next(started)

    told, spec = Told(elites=torch.tensor([0])), replace(SPEC, horizon=5)
    return LearnedEnv(told, spec, task, begin, free, stream("learned"), ends_at_two)


def free(mean: Tensor, std: Tensor) -> Tensor:
    return torch.zeros(mean.shape[1])


def env(model: Told, penalty: Penalty = free, lanes: int = LANES) -> LearnedEnv:
    task, started = torch.arange(lanes).unsqueeze(1).float(), iter(range(100))

    def begin() -> Tensor:
        return torch.full((lanes, 2), -1000.0 * next(started))

    return LearnedEnv(model, SPEC, task, begin, penalty, stream("learned"))


def test_episodes_are_cut_after_h_steps_and_begin_in_the_logs_again() -> None:
    learned = env(Told(elites=torch.tensor([0])))
    assert learned.reset().tolist() == [[0, 0]] * LANES
    steps = [learned.step(torch.ones(LANES, 1)) for _ in range(6)]
    for t, step in enumerate(steps):
        assert step.obs.shape == step.next_obs.shape == (LANES, 2)
        assert step.truncated.tolist() == [t in (2, 5)] * LANES
        assert not step.terminated.any() and not step.success.any()
    assert [step.next_obs[0, 0].item() for step in steps] == [1, 2, 3, -999, -998, -997]
    assert [step.obs[0, 0].item() for step in steps] == [1, 2, -1000, -999, -998, -2000]


def test_a_rollout_lives_in_it_as_in_any_world() -> None:
    trial = rollout(
        Random(SPEC, NoConfig()), env(Told()), stream("act"), PolicyInputs(task=True), keep_next_obs=True
    )
    assert trial.next_obs is not None
    assert trial.obs.shape == trial.next_obs.shape == (LANES, 3, 2)
    assert torch.equal(trial.next_obs[:, :-1], trial.obs[:, 1:])
    assert trial.outcome.mask.all()
    torch.testing.assert_close(trial.outcome.reward, trial.action[..., 0] * trial.task)


def test_a_lane_is_over_where_its_end_is_seen_and_begins_anew_alone() -> None:
    """Lane 0 ends at 2, in its second step; then both live for five steps, each by its own clock."""
    learned = ending()
    assert learned.reset()[:, 0].tolist() == [0, -10]
    steps = [learned.step(torch.zeros(2, 1)) for _ in range(10)]

    def when(part: str, lane: int) -> list[int]:
        return [t + 1 for t, step in enumerate(steps) if getattr(step, part)[lane]]

    assert when("terminated", 0) == [2] and when("truncated", 0) == [7]
    assert when("terminated", 1) == [] and when("truncated", 1) == [5, 10]
    led, seen = ([getattr(step, name)[:, 0].tolist() for step in steps[:5]] for name in ("next_obs", "obs"))
    assert led == [[1, -9], [2, -8], [-99, -7], [-98, -6], [-97, -5]]
    assert seen == [[1, -9], [-100, -8], [-99, -7], [-98, -6], [-97, -210]]


def test_an_end_in_the_last_step_is_an_end_and_no_time_limit() -> None:
    learned = ending()
    learned.reset()
    learned.age += 3
    step = [learned.step(torch.zeros(2, 1)) for _ in range(2)][1]
    assert step.terminated.tolist() == [True, False] and step.truncated.tolist() == [False, True]


def test_a_rollout_counts_until_the_first_end() -> None:
    trial = rollout(Random(SPEC, NoConfig()), ending(), stream("act"), PolicyInputs(), keep_next_obs=True)
    assert trial.next_obs is not None
    assert trial.outcome.mask.tolist() == [[True, True, False, False, False], [True] * 5]
    assert trial.outcome.terminated[0].tolist() == [False, True, False, False, False]
    assert not trial.outcome.terminated[1].any()
    assert trial.obs[0, :2, 0].tolist() == [0, 1] and trial.next_obs[0, :2, 0].tolist() == [1, 2]


def test_elites_alone_are_believed_each_as_often() -> None:
    learned = env(Told(), lanes=4000)
    learned.reset()
    moved, mask = learned.step(torch.zeros(4000, 1)).obs[:, 0].unique(return_counts=True)
    assert moved.tolist() == [1, 100]
    assert abs(mask[0].item() / 4000 - 0.5) < 0.04


def test_what_comes_is_drawn_around_what_is_said() -> None:
    learned = env(Told(sigma=0.5, elites=torch.tensor([0])), lanes=4000)
    learned.reset()
    step = learned.step(torch.zeros(4000, 1))
    drawn = torch.cat([step.obs - 1, step.reward.unsqueeze(1)], dim=1)
    torch.testing.assert_close(drawn.mean(0), torch.zeros(3), atol=0.04, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((3,), 0.5), atol=0.03, rtol=0)


def test_the_penalty_is_of_all_members_and_is_taken_off() -> None:
    def farthest(mean: Tensor, std: Tensor) -> Tensor:
        return mean[..., 0].amax(0)

    learned = env(Told(), farthest)
    learned.reset()
    paid = learned.step(torch.ones(LANES, 1)).reward
    assert paid.tolist() == [-100, -99, -98, -97]
