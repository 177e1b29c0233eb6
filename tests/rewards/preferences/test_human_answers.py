"""A person's answers: kept line by line, and refused as a whole where one line cannot be right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from metairl.core.errors import DamagedFile, StorageError
from metairl.data.replay import Replay
from metairl.rewards.preferences import segment_pairs as segments
from metairl.rewards.preferences.human_answers import Answer, answered, append

GOOD = Answer(task=1, trials=(0, 1), first=(0, 2), steps=3, answer="left")


def logs() -> Replay:
    """Two tasks of two trials; the second trial of the first task has four steps of six."""
    replay = Replay(2, 6, torch.zeros(2, dtype=torch.long))
    replay.data = {"obs": torch.arange(24.0).view(2, 2, 6, 1), "action": torch.zeros(2, 2, 6, 1)}
    replay.tasks, replay.num_trials = torch.zeros(2, 1), torch.tensor([2, 2])
    replay.lengths = torch.tensor([[6, 4], [6, 6]])
    return replay


def written(folder: Path, *answers: Answer) -> Path:
    path = folder / "answers.jsonl"
    for answer in answers:
        append(path, answer)
    return path


def test_answers_come_back_as_they_were_given(tmp_path: Path) -> None:
    others = (
        replace(GOOD, first=(1, 2), answer="right"),
        replace(GOOD, first=(2, 2), answer="equal"),
        replace(GOOD, first=(3, 2), answer="skip"),
    )
    places, first, steps = answered(written(tmp_path, GOOD, *others), logs())
    assert first.tolist() == [1.0, 0.0, 0.5] and steps == 3
    pairs = segments.cut(logs(), places, steps)
    assert pairs.obs[:, :, 0, 0].tolist() == [[12, 20], [13, 20], [14, 20]]


turned = replace(GOOD, trials=(1, 0), first=(2, 0))


@pytest.mark.parametrize(
    "bad, line",
    [
        (GOOD, "answers the question of .*:1 again"),
        (replace(turned, answer="right"), "answers the question of .*:1 again"),
        (turned, "answers the question of .*:1 otherwise"),
        (replace(GOOD, answer="equal"), "answers the question of .*:1 otherwise"),
        (replace(GOOD, task=2), "task 2 is not one of 2"),
        (replace(GOOD, task=-1), "task -1 is not one of 2"),
        (replace(GOOD, trials=(0, 2)), "trial 2 is not one of the 2 of task 1"),
        (replace(GOOD, task=0, first=(0, 2)), "steps 2 to 5 are not in trial 1, which has 4"),
        (replace(GOOD, first=(-1, 2)), "steps -1 to 2 are not in trial 0, which has 6"),
        (replace(GOOD, steps=2, first=(1, 1)), "segments of 2 steps among those of 3"),
        (replace(GOOD, answer="both"), "'answer': Input should be 'left', 'right', 'equal' or 'skip'"),
    ],
)
def test_the_first_line_that_cannot_be_right_is_named(tmp_path: Path, bad: Answer, line: str) -> None:
    with pytest.raises(DamagedFile, match=rf"answers\.jsonl:2: {line}"):
        answered(written(tmp_path, GOOD, bad), logs())


@pytest.mark.parametrize("spoil", [lambda text: text.replace("left", "both"), lambda text: text[:-9]])
def test_a_line_that_is_not_the_one_that_was_written_is_named(
    tmp_path: Path, spoil: Callable[[str], str]
) -> None:
    path = written(tmp_path, GOOD)
    path.write_text(path.read_text() + spoil(path.read_text()))
    with pytest.raises(DamagedFile, match=r"answers\.jsonl:2: the line is not as it was written"):
        answered(path, logs())


def test_no_file_and_no_answer_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"answers\.jsonl: cannot read \(No such file"):
        answered(tmp_path / "answers.jsonl", logs())
    with pytest.raises(DamagedFile, match="no answers"):
        answered(written(tmp_path, replace(GOOD, answer="skip")), logs())
