"""A learned world is a world, and pays what its model says less a penalty."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from metairl.learners.random import Random
from metairl.rollout import rollout
from metairl.streams import stream
from metairl.types import NoConfig, Sight, Spec
from metairl.worlds.learned import Learned, Penalty

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


def free(mean: Tensor, std: Tensor) -> Tensor:
    return torch.zeros(mean.shape[1])


def world(model: Told, penalty: Penalty = free, lanes: int = LANES) -> Learned:
    task, started = torch.arange(lanes).unsqueeze(1).float(), iter(range(100))

    def begin() -> Tensor:
        return torch.full((lanes, 2), -1000.0 * next(started))

    return Learned(model, SPEC, task, begin, penalty, stream("learned"))


def test_episodes_are_cut_after_h_steps_and_begin_in_the_logs_again() -> None:
    learned = world(Told(elites=torch.tensor([0])))
    assert learned.reset().tolist() == [[0, 0]] * LANES
    steps = [learned.step(torch.ones(LANES, 1)) for _ in range(6)]
    for t, step in enumerate(steps):
        assert step.obs.shape == step.final_obs.shape == (LANES, 2)
        assert step.truncated.tolist() == [t in (2, 5)] * LANES
        assert not step.terminated.any() and not step.success.any()
    assert [step.final_obs[0, 0].item() for step in steps] == [1, 2, 3, -999, -998, -997]
    assert [step.obs[0, 0].item() for step in steps] == [1, 2, -1000, -999, -998, -2000]


def test_a_rollout_lives_in_it_as_in_any_world() -> None:
    trial = rollout(Random(SPEC, NoConfig()), world(Told()), stream("act"), Sight(task=True), final=True)
    assert trial.after is not None
    assert trial.obs.shape == trial.after.shape == (LANES, 3, 2)
    assert torch.equal(trial.after[:, :-1], trial.obs[:, 1:])
    assert trial.outcome.counts.all()
    torch.testing.assert_close(trial.outcome.reward, trial.action[..., 0] * trial.task)


def test_elites_alone_are_believed_each_as_often() -> None:
    learned = world(Told(), lanes=4000)
    learned.reset()
    moved, counts = learned.step(torch.zeros(4000, 1)).obs[:, 0].unique(return_counts=True)
    assert moved.tolist() == [1, 100]
    assert abs(counts[0].item() / 4000 - 0.5) < 0.04


def test_what_comes_is_drawn_around_what_is_said() -> None:
    learned = world(Told(sigma=0.5, elites=torch.tensor([0])), lanes=4000)
    learned.reset()
    step = learned.step(torch.zeros(4000, 1))
    drawn = torch.cat([step.obs - 1, step.reward.unsqueeze(1)], dim=1)
    torch.testing.assert_close(drawn.mean(0), torch.zeros(3), atol=0.04, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((3,), 0.5), atol=0.03, rtol=0)


def test_the_penalty_is_of_all_members_and_is_taken_off() -> None:
    def farthest(mean: Tensor, std: Tensor) -> Tensor:
        return mean[..., 0].amax(0)

    learned = world(Told(), farthest)
    learned.reset()
    paid = learned.step(torch.ones(LANES, 1)).reward
    assert paid.tolist() == [-100, -99, -98, -97]
