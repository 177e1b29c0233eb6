"""What a replay keeps and hands out."""

import dataclasses

import pytest
import torch

from metairl.agents.agent import Agent
from metairl.agents.encoders.none import NoEncoder
from metairl.agents.encoders.rl2 import RL2
from metairl.agents.encoders.rl2 import Config as Recurrent
from metairl.agents.rl.sac import SAC, Config
from metairl.core.rng import stream
from metairl.core.types import NoConfig, Outcome, PolicyInputs, Spec, Trial
from metairl.data.replay import Replay
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.training.off_policy import OffPolicy

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
        mask=t < torch.tensor(lengths).unsqueeze(1),
        diverged=torch.zeros_like(ended),
    )
    return Trial(
        obs.unsqueeze(-1), 0 * obs.unsqueeze(-1), outcome, torch.zeros(lanes, 1), 1, obs.unsqueeze(-1) + 0.5
    )


def replay(room: int = 2, tasks: int = 2) -> Replay:
    return Replay(room, STEPS, torch.zeros(tasks, dtype=torch.long))


def test_only_steps_that_count_are_handed_out_each_equally_often() -> None:
    kept = replay()
    both = torch.tensor([0, 1])
    kept.add(both, trial(0.0, [4, 2]))
    kept.add(both, trial(100.0, [1, 4]))
    batch = kept.sample_transitions(both, 6_000, stream("draw"))
    for lane, expected in ((0, [0, 1, 2, 3, 100]), (1, [10, 11, 110, 111, 112, 113])):
        values, mask = batch.obs[lane, :, 0].unique(return_counts=True)
        assert values.tolist() == expected
        assert (mask.float() / 6_000 - 1 / len(expected)).abs().max() < 0.02
    torch.testing.assert_close(batch.next_obs, batch.obs + 0.5)
    torch.testing.assert_close(batch.reward, batch.obs[..., 0])


def test_the_oldest_trial_of_a_task_is_forgotten() -> None:
    kept = replay(room=2)
    for first in (0.0, 100.0, 200.0):
        kept.add(torch.tensor([1]), trial(first, [4]))
    seen = kept.sample_transitions(torch.tensor([1]), 500, stream("draw")).obs.unique().tolist()
    assert seen == [100, 101, 102, 103, 200, 201, 202, 203]


def test_evidence_is_of_the_newest_trials_and_not_of_their_last_episode() -> None:
    kept, task = replay(room=3), torch.tensor([0])
    for first in (0.0, 100.0, 200.0, 300.0):
        kept.add(task, trial(first, [4]))

    def seen(episodes: int, recent: int) -> list[float]:
        values: list[float] = (
            kept.sample_context(task, 400, episodes, recent, stream("draw")).obs.unique().tolist()
        )
        return values

    assert seen(1, 1) == [300, 301]
    assert seen(2, 1) == [300, 301, 302, 303]
    assert seen(1, 2) == [200, 201, 300, 301]
    assert seen(1, 9) == [100, 101, 200, 201, 300, 301]


def test_a_whole_trial_is_one_segment_and_says_which_of_its_steps_count() -> None:
    kept = replay()
    kept.add(torch.tensor([1]), trial(0.0, [3]))
    whole = kept.sample_segments(torch.tensor([1]), STEPS, stream("draw"))
    assert whole.batch.mask.tolist() == [[1, 1, 1, 0]]
    assert whole.batch.obs[0, :3, 0].tolist() == [0, 1, 2]
    assert (whole.action.item(), whole.reward.item(), whole.done.item()) == (0, 0, 0)
    assert (whole.bootstrap_obs.item(), whole.trial_over.item()) == (2.5, 1)
    assert whole.memory is None


def test_segments_begin_with_what_was_known_and_end_with_what_was_seen() -> None:
    """Two steps at a time of four that began at 5, with what was remembered before steps 0 and 2."""
    kept = replay()
    memory = torch.tensor([[[0.0, 0.0], [7.0, 8.0]]])
    kept.add(torch.tensor([0]), dataclasses.replace(trial(5.0, [4]), memory=memory))
    drawn = [kept.sample_segments(torch.tensor([0]), 2, stream("draw", i)) for i in range(20)]
    first = next(s for s in drawn if s.batch.obs[0, 0].item() == 5)
    second = next(s for s in drawn if s.batch.obs[0, 0].item() == 7)
    assert (first.reward.item(), first.done.item(), first.trial_over.item()) == (0, 0, 0)
    assert first.bootstrap_obs.item() == 7  # the next episode's first
    assert (second.reward.item(), second.done.item(), second.trial_over.item()) == (6, 1, 1)
    assert second.bootstrap_obs.item() == 8.5  # what the last step led to
    assert first.memory is not None
    assert first.memory.tolist() == [[0, 0]]
    assert second.memory is not None
    assert second.memory.tolist() == [[7, 8]]


def test_it_is_saved_and_restored_exactly() -> None:
    kept, other = replay(room=3), replay(room=3)
    kept.add(torch.tensor([0, 1]), trial(0.0, [4, 4]))
    state = kept.state()
    assert state["data"]["obs"].shape[1] == 1  # empty room is not saved
    other.load(state)
    for which in (kept, other):
        which.add(torch.tensor([1, 0]), trial(50.0, [4, 2]))
    one, two = (which.sample_transitions(torch.tensor([0, 1]), 50, stream("draw")) for which in (kept, other))
    assert torch.equal(one.obs, two.obs)
    assert torch.equal(one.reward, two.reward)


@pytest.fixture
def kept() -> Replay:
    """Lane 0 lives all four steps; lane 1's MDP ends at its second, and its trial with it."""
    both = replay()
    both.add(torch.tensor([0]), trial(0.0, [4]))
    both.add(torch.tensor([1]), trial(20.0, [2], terminated=1))
    return both


def agent(encoder: torch.nn.Module) -> Agent[SAC]:
    return Agent(encoder, SAC(SPEC, encoder.width, Config(hidden=(4,))), "trial", PolicyInputs())


def test_a_time_limit_ends_nothing(kept: Replay) -> None:
    batch = kept.sample_segments(torch.tensor([0, 1]), STEPS, stream("draw")).batch
    moves, _ = agent(NoEncoder(SPEC, NoConfig())).encode_transitions(batch)
    assert moves.continues[0].tolist() == [1, 1, 1, 1]
    assert moves.continues[1, :2].tolist() == [1, 0]
    assert moves.next_z[0, :, 0].tolist() == [0.5, 1.5, 2.5, 3.5]  # never what was reset to


def test_a_sequence_goes_on_through_its_episodes_and_to_what_the_last_step_led_to(kept: Replay) -> None:
    recurrent = agent(RL2(SPEC, Recurrent(width=4)))
    segment = kept.sample_segments(torch.tensor([0, 1]), STEPS, stream("draw"))
    known = recurrent._context(segment)
    assert known.obs[0, :, 0].tolist() == [0, 1, 2, 3, 3.5]
    assert known.obs[1, :3, 0].tolist() == [20, 21, 21.5]
    assert known.prev_done.tolist()[0] == [0, 0, 1, 0, 0]
    moves, _ = recurrent.encode_segment(segment)
    assert moves.continues.tolist()[0] == [1, 1, 1, 1]
    assert moves.continues.tolist()[1][:2] == [1, 0]
    torch.testing.assert_close(moves.z[:, 1:], moves.next_z[:, :-1])


def test_an_mdp_that_ends_inside_a_trial_ends_nothing() -> None:
    kept = replay()
    kept.add(torch.tensor([0]), trial(0.0, [4], terminated=1))
    recurrent = agent(RL2(SPEC, Recurrent(width=4)))
    whole, _ = recurrent.encode_segment(kept.sample_segments(torch.tensor([0]), STEPS, stream("draw")))
    assert whole.continues.tolist() == [[1, 1, 1, 1]]
    for i in range(8):
        part, _ = recurrent.encode_segment(kept.sample_segments(torch.tensor([0]), 2, stream("draw", i)))
        assert part.continues.tolist() == [[1, 1]]


def test_segments_from_remembered_states_are_read_as_in_the_whole_trial() -> None:
    """While weights stay what they were, memory kept by acting makes every part equal to the whole."""
    asked = make_request("rl2-sac", "point-robot", steps=1000)
    few = {"tasks": 3, "trials": 3, "segment": 8}
    asked = dataclasses.replace(
        asked,
        settings=dataclasses.replace(
            asked.settings, recipe=dataclasses.replace(asked.settings.recipe, **few)
        ),
    )
    _, recipe = build(asked)
    assert isinstance(recipe, OffPolicy)
    recipe.iterate(0.0)
    which = torch.arange(3)
    whole, _ = recipe.agent.encode_segment(
        dataclasses.replace(recipe.replay.sample_segments(which, 40, stream("draw")), memory=None)
    )
    for i in range(6):
        segment = recipe.replay.sample_segments(which, 8, stream("draw", i))
        part, _ = recipe.agent.encode_segment(segment)
        for lane in range(3):
            first = int((whole.reward[lane] == segment.batch.training_reward[lane, 0]).nonzero()[0])
            torch.testing.assert_close(part.z[lane], whole.z[lane, first : first + 8], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(
                part.next_z[lane], whole.next_z[lane, first : first + 8], atol=1e-5, rtol=1e-4
            )
