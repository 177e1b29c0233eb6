"""What a replay keeps and hands out."""

import pytest
import torch

from metairl.agent import Agent
from metairl.encoders.none import Nothing
from metairl.encoders.rl2 import RL2
from metairl.encoders.rl2 import Config as Recurrent
from metairl.learners.sac import SAC, Config
from metairl.replay import Replay
from metairl.streams import stream
from metairl.types import Batch, NoConfig, Outcome, Sight, Spec, Trial

SPEC = Spec(obs=1, actions=1, discrete=False, horizon=2, episodes=2, params=1)
STEPS = SPEC.steps


def trial(first: float, lengths: list[int], terminated: int | None = None) -> Trial:
    """Lane i sees first + 10 i + t at step t, and first + 10 i + t + 0.5 after it."""
    lanes = len(lengths)
    t = torch.arange(STEPS).expand(lanes, STEPS)
    obs = first + 10.0 * torch.arange(lanes).unsqueeze(1) + t
    ended = (t == terminated) if terminated is not None else torch.zeros_like(t, dtype=torch.bool)
    outcome = Outcome(
        reward=obs,
        done=(t % SPEC.horizon == SPEC.horizon - 1) | ended,
        terminated=ended,
        success=ended,
        counts=t < torch.tensor(lengths).unsqueeze(1),
        lost=torch.zeros_like(ended),
    )
    return Trial(
        obs.unsqueeze(-1), 0 * obs.unsqueeze(-1), outcome, torch.zeros(lanes, 1), 1, obs.unsqueeze(-1) + 0.5
    )


def replay(room: int = 2, tasks: int = 2) -> Replay:
    return Replay(room, torch.zeros(tasks, dtype=torch.long))


def test_only_steps_that_count_are_handed_out_each_equally_often() -> None:
    kept = replay()
    both = torch.tensor([0, 1])
    kept.add(both, trial(0.0, [4, 2]))
    kept.add(both, trial(100.0, [1, 4]))
    batch = kept.steps(both, 6_000, stream("draw"))
    for lane, expected in ((0, [0, 1, 2, 3, 100]), (1, [10, 11, 110, 111, 112, 113])):
        values, counts = batch.obs[lane, :, 0].unique(return_counts=True)
        assert values.tolist() == expected
        assert (counts.float() / 6_000 - 1 / len(expected)).abs().max() < 0.02
    torch.testing.assert_close(batch.after, batch.obs + 0.5)
    torch.testing.assert_close(batch.reward, batch.obs[..., 0])


def test_the_oldest_trial_of_a_task_is_forgotten() -> None:
    kept = replay(room=2)
    for first in (0.0, 100.0, 200.0):
        kept.add(torch.tensor([1]), trial(first, [4]))
    seen = kept.steps(torch.tensor([1]), 500, stream("draw")).obs.unique().tolist()
    assert seen == [100, 101, 102, 103, 200, 201, 202, 203]


def test_evidence_is_of_the_newest_trials_and_not_of_their_last_episode() -> None:
    kept, task = replay(room=3), torch.tensor([0])
    for first in (0.0, 100.0, 200.0, 300.0):
        kept.add(task, trial(first, [4]))

    def seen(episodes: int, recent: int) -> list[float]:
        values: list[float] = kept.evidence(task, 400, episodes, recent, stream("draw")).obs.unique().tolist()
        return values

    assert seen(1, 1) == [300, 301]
    assert seen(2, 1) == [300, 301, 302, 303]
    assert seen(1, 2) == [200, 201, 300, 301]
    assert seen(1, 9) == [100, 101, 200, 201, 300, 301]


def test_a_whole_trial_says_which_of_its_steps_count() -> None:
    kept = replay()
    kept.add(torch.tensor([1]), trial(0.0, [3]))
    batch = kept.trials(torch.tensor([1]), stream("draw"))
    assert batch.counts.tolist() == [[1, 1, 1, 0]]
    assert batch.obs[0, :, 0].tolist() == [0, 1, 2, 3]


def test_it_is_saved_and_restored_exactly() -> None:
    kept, other = replay(room=3), replay(room=3)
    kept.add(torch.tensor([0, 1]), trial(0.0, [4, 4]))
    state = kept.state()
    assert state["kept"]["obs"].shape[1] == 1  # empty room is not saved
    other.load(state)
    for which in (kept, other):
        which.add(torch.tensor([1, 0]), trial(50.0, [4, 2]))
    one, two = (which.steps(torch.tensor([0, 1]), 50, stream("draw")) for which in (kept, other))
    assert torch.equal(one.obs, two.obs)
    assert torch.equal(one.reward, two.reward)


@pytest.fixture
def batch() -> Batch:
    """Lane 0 lives all four steps; lane 1's MDP ends at its second, and its trial with it."""
    kept = replay()
    kept.add(torch.tensor([0]), trial(0.0, [4]))
    kept.add(torch.tensor([1]), trial(20.0, [2], terminated=1))
    return kept.trials(torch.tensor([0, 1]), stream("draw"))


def agent(encoder: torch.nn.Module) -> Agent[SAC]:
    return Agent(encoder, SAC(SPEC, encoder.width, Config(hidden=(4,))), "trial", Sight())  # type: ignore[arg-type]


def test_a_time_limit_ends_nothing(batch: Batch) -> None:
    moves, _ = agent(Nothing(SPEC, NoConfig())).moves(batch, None, stream("a"))
    assert moves.follows.tolist() == [[1, 1, 1, 1], [1, 0, 1, 1]]
    assert moves.after[0, :, 0].tolist() == [0.5, 1.5, 2.5, 3.5]  # never what was reset to


def test_a_sequence_goes_on_through_its_episodes_and_to_what_the_last_step_led_to(batch: Batch) -> None:
    recurrent = agent(RL2(SPEC, Recurrent(width=4)))
    whole = recurrent._extended(batch)
    assert whole.obs[0, :, 0].tolist() == [0, 1, 2, 3, 3.5]
    assert whole.obs[1, :3, 0].tolist() == [20, 21, 21.5]
    assert whole.prev_done.tolist()[0] == [0, 0, 1, 0, 0]
    moves, _ = recurrent.moves(batch, None, stream("a"))
    assert moves.follows.tolist()[0] == [1, 1, 1, 1]
    assert moves.follows.tolist()[1][:2] == [1, 0]
    torch.testing.assert_close(moves.z[:, 1:], moves.after[:, :-1])
