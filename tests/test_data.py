"""Episodes of an expert: collected, saved as a Minari dataset, read again."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import minari
import numpy as np
import pytest

from metairl import catalogue, data, draws
from metairl.cli import main
from metairl.data import Episode
from metairl.demonstrations import collect
from metairl.errors import StorageError
from metairl.request import build, request, spec_of


def some(task: str, expert: str, tasks: int) -> list[Episode]:
    asked = request(expert, task)
    policy, _ = build(asked)
    drawn = draws.task_set(asked.card, "test")
    few = draws.TaskSet(drawn.card, "test", drawn[slice(tasks)])
    return list(collect(policy, asked.card, few, asked.sight, 0))


@pytest.mark.parametrize("task, expert", [("point-robot", "straight"), ("snail-maze-grid", "shortest-path")])
def test_what_is_saved_is_what_is_read(task: str, expert: str, tmp_path: Path) -> None:
    episodes = some(task, expert, 3)
    about = {"method": expert, "task": task, "split": "test"}
    folder = data.save(tmp_path, "some-v0", spec_of(catalogue.task(task)), episodes, about)
    again, told = data.load(folder)
    assert told == about
    for one, other in zip(episodes, again, strict=True):
        for field in fields(Episode):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    with pytest.raises(StorageError, match="is there already"):
        data.save(tmp_path, "some-v0", spec_of(catalogue.task(task)), episodes, about)


def test_every_task_has_its_whole_episodes_in_order() -> None:
    card = catalogue.task("snail-maze-grid")  # whose episodes end where the goal is found
    episodes = some("snail-maze-grid", "shortest-path", 3)
    digests = draws.task_set(card, "test").digests[:3]
    assert [episode.task for episode in episodes] == [
        digest for digest in digests for _ in range(card.episodes)
    ]
    for episode in episodes:
        ends = episode.terminated | episode.truncated
        assert ends[-1] and not ends[:-1].any()
        assert episode.success[-1]
        assert len(episode.obs) == len(episode.action) + 1 == len(episode.reward) + 1
    lengths = [len(episode.reward) for episode in episodes]
    assert lengths[0::2] == lengths[1::2]  # it knows the way both times
    assert len(set(lengths)) > 1


def test_the_command_makes_a_dataset_that_minari_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # a relative folder is where one stands
    words = ["ml1:skill=reach,horizon=60", "--episodes", "2", "--tasks", "3", "--out", "here"]
    assert main(["collect", *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["success"] == {"reach-v3": 1.0}
    assert [path.name for path in (tmp_path / "here").iterdir()] == [Path(said["folder"]).name]
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "here"))
    dataset = minari.load_dataset(Path(said["folder"]).name)
    assert dataset.total_episodes == 6 and dataset.total_steps == 360
    about = dataset.storage.metadata["metairl"]
    assert about["episodes"] == 2 and catalogue.task(about["task"]).sha256 == about["card_sha256"]
    assert not dataset[0].observations[:, 36:].any()  # of ml1 the goal is hidden, from the expert's data too


def test_a_dataset_has_its_name_when_it_is_complete(tmp_path: Path) -> None:
    def breaks() -> Iterator[Episode]:
        yield some("point-robot", "straight", 1)[0]
        raise KeyboardInterrupt

    spec, about = spec_of(catalogue.task("point-robot")), {"method": "a", "task": "b", "split": "c"}
    with pytest.raises(KeyboardInterrupt):
        data.save(tmp_path, "some-v0", spec, breaks(), about)
    assert not (tmp_path / "some-v0").exists()
    with pytest.raises(StorageError, match="no dataset there"):
        data.load(tmp_path / "some-v0")


@pytest.mark.parametrize("words", [["--tasks", "0"], ["--tasks", "-48"], ["--episodes", "0"]])
def test_counts_below_one_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", "point-robot", "--expert", "straight", *words]) == 2
    assert "must be 1 or more" in capsys.readouterr().err


def test_an_expert_that_must_be_trained_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", "point-robot", "--expert", "rl2"]) == 2
    assert "has to be trained first" in capsys.readouterr().err
