"""Questions of the labelling page: their order, what is left, and that a file of answers is continued."""

from pathlib import Path

import pytest
import torch

from metairl.core.errors import UsageError
from metairl.data.replay import Replay
from metairl.rewards.preferences.labelling.questions import Questions


def replay(steps: int = 6) -> Replay:
    buffer = Replay(2, 6, torch.zeros(2, dtype=torch.long))
    buffer.data = {"obs": torch.arange(48.0).view(2, 2, 6, 2), "action": torch.zeros(2, 2, 6, 1)}
    buffer.tasks = torch.tensor([[1.0], [2.0]])
    buffer.num_trials, buffer.lengths = torch.tensor([2, 2]), torch.full((2, 2), steps)
    return buffer


def questions(path: Path, count: int = 3, seed: int = 0) -> Questions:
    return Questions(replay(), "point", count, 4, seed, path)


def test_questions_come_one_after_the_other_and_end(tmp_path: Path) -> None:
    asked = questions(tmp_path / "answers")
    order = list(asked.open)
    for question in order:
        assert asked.current == question
        asked.give("left")
    assert asked.current is None
    assert [asked.numbered(str(i)) for i in range(4)] == [*order, None]
    assert asked.numbered("x") is None


def test_a_question_that_has_not_come_yet_has_no_pictures(tmp_path: Path) -> None:
    asked = questions(tmp_path / "answers")
    assert asked.numbered("0") == asked.open[0] and asked.numbered("1") is None


def test_the_seed_alone_decides_and_answered_pairs_are_left_out(tmp_path: Path) -> None:
    first = questions(tmp_path / "answers")
    assert questions(tmp_path / "none").open == first.open
    assert questions(tmp_path / "none", seed=1).open != first.open
    rest = first.open[1:]
    first.give("equal")
    again = questions(tmp_path / "answers")
    assert again.open == rest and again.before == 1


def test_segments_are_whole_and_differ(tmp_path: Path) -> None:
    for question in questions(tmp_path / "answers", count=8).open:
        obs, _ = questions(tmp_path / "answers").clips(question)
        assert obs.shape == (2, 4, 2) and not torch.equal(obs[0], obs[1])
        assert obs[:, 0, 0].tolist() == [
            24 * question.task + 12 * trial + 2 * first
            for trial, first in zip(question.trials, question.first, strict=True)
        ]


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fewer than 50 different pairs of 4 steps"):
        questions(tmp_path / "answers", count=50)
    with pytest.raises(UsageError, match="fewer than 1 different pairs of 4 steps"):
        Questions(replay(steps=3), "point", 1, 4, 0, tmp_path / "answers")
