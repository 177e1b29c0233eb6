"""Episodes of experts of every quality: collected, saved as Minari datasets, read again as logs."""

import json
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import minari
import numpy as np
import pytest
import torch
from gymnasium import spaces

from metairl.agents.exact.baselines import Zero
from metairl.cli.main import main
from metairl.core.errors import DamagedFile, StorageError
from metairl.core.types import NoConfig
from metairl.data import demonstrations, offline_dataset
from metairl.data import minari as data
from metairl.data.collection import collect
from metairl.data.episodes import Episode
from metairl.envs import spec_of
from metairl.experiments.assemble import build
from metairl.experiments.experts import Stages
from metairl.experiments.request import make_request
from metairl.tasks import catalogue, sampling

ABOUT = {"quality": "expert", "task": "b", "split": "c"}


def some(task: str, expert: str, tasks: int) -> list[Episode]:
    asked = make_request(expert, task)
    policy, _ = build(asked)
    drawn = sampling.task_set(asked.card, "test")
    few = sampling.TaskSet(drawn.card, "test", drawn[slice(tasks)])
    return list(collect(policy, asked.card, few, asked.inputs, 0))


@pytest.mark.parametrize(
    "task, expert", [("point-robot", "point-expert"), ("snail-maze-grid", "shortest-path")]
)
def test_what_is_saved_is_what_is_read(task: str, expert: str, tmp_path: Path) -> None:
    episodes = some(task, expert, 3)
    folder = data.save(tmp_path, "some-v0", spec_of(catalogue.task(task)), episodes, ABOUT)
    again, told = data.load(folder)
    assert told == ABOUT | {"sha256": told["sha256"]}
    for one, other in zip(episodes, again, strict=True):
        for field in fields(Episode):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    with pytest.raises(StorageError, match="exists already"):
        data.save(tmp_path, "some-v0", spec_of(catalogue.task(task)), episodes, ABOUT)


def test_every_task_has_its_whole_episodes_in_order() -> None:
    card = catalogue.task("snail-maze-grid")  # whose episodes end where the goal is found
    episodes = some("snail-maze-grid", "shortest-path", 3)
    digests = sampling.task_set(card, "test").digests[:3]
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
    words = ["ml1:skill=reach,horizon=60", "--episodes", "2", "--tasks", "3", "--split", "train"]
    assert main(["collect", *words, "--out", "here", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["success"] == {"reach-v3": 1.0}
    assert [path.name for path in (tmp_path / "here").iterdir()] == [Path(said["folder"]).name]
    dataset = opened(tmp_path / "here", said, monkeypatch)
    check_integrity(dataset)
    assert dataset.total_episodes == 6 and dataset.total_steps == 360
    about = dataset.storage.metadata["metairl"]
    assert about["world_sha256"] == offline_dataset.env_sha256(catalogue.task(about["task"]))
    assert dataset.storage.metadata["requirements"][0].startswith("metairl==")
    assert not dataset[0].observations[:, 36:].any()  # of ml1 the goal is hidden, from the expert's data too


def opened(root: Path, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    return minari.load_dataset(Path(said["folder"]).name)


def check_integrity(dataset: Any) -> None:
    """What Minari's own tests ask of a dataset."""
    steps = 0
    for episode in dataset:
        count = len(episode.actions)
        assert len(episode.observations) == count + 1
        assert len(episode.rewards) == len(episode.terminations) == len(episode.truncations) == count
        assert all(dataset.observation_space.contains(o) for o in episode.observations)
        assert all(dataset.action_space.contains(a) for a in episode.actions)
        assert not (episode.terminations | episode.truncations)[:-1].any()
        steps += count
    assert steps == dataset.total_steps


COLLECT = [
    "collect",
    "point-robot",
    "--quality",
    "replay",
    "--episodes",
    "8",
    "--split",
    "train",
    "--tasks",
    "20",
]


def collected(out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main([*COLLECT, "--out", str(out), "--json", *more]) == 0
    sha: str = json.loads(capsys.readouterr().out)["sha256"]
    return sha


def test_the_same_words_make_the_same_numbers_also_after_a_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = collected(tmp_path / "whole", capsys)
    assert collected(tmp_path / "again", capsys) == whole
    other = collected(tmp_path / "other", capsys, "--seed", "1")
    assert other != whole
    out = tmp_path / "killed"
    words = [sys.executable, "-m", "metairl", *COLLECT, "--out", str(out)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(parts := list(out.glob(".parts-*/*.npz"))) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(parts) < 8 and not list(out.glob("point*"))
    assert collected(out, capsys, "--seed", "1") == other  # what was left is not another seed's
    shutil.rmtree(next(out.glob("point*")))
    parts[-1].write_bytes(b"half a file")  # as a power cut may leave it
    assert collected(out, capsys) == whole
    assert not list(out.glob(".parts-*"))


def test_experts_take_turns_from_the_worst_to_the_best() -> None:
    def policy() -> Zero:
        return Zero(spec_of(catalogue.task("point-robot")), NoConfig())

    drawn, settled, chance = [policy() for _ in range(5)], policy(), policy()
    stages = Stages(drawn, settled, middle=2, names=list("abcde"))
    assert stages.of("random", chance) == ([chance], ["random"])
    assert stages.of("medium", chance) == ([drawn[2]], ["c"])
    assert stages.of("expert", chance) == ([settled], ["e"])
    assert stages.of("medium-replay", chance) == (drawn[:3], ["a", "b", "c"])
    assert stages.of("mixed", chance) == ([drawn[2], drawn[4]], ["c", "e"])


def test_an_expert_that_has_to_be_trained_is_trained_and_its_stages_get_better(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "shelf" / "benchmarks" / "tuned"
    shelf.mkdir(parents=True)
    (shelf / "sac.toml").write_text(
        '["point-robot"]\nsteps = 4000\nlearner = { hidden = [32], gamma = 0.9 }\n'
        "recipe = { tasks = 20, batch = 16, learning_rate = 3e-3 }\n"
    )
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path / "shelf"))
    words = ["collect", "point-robot", "--expert", "sac", "--encoder", "oracle", "--split", "train"]
    words += ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path), "--episodes", "4", "--json"]
    returns = {}
    for quality in ("random", "medium", "expert"):
        assert main([*words, "--quality", quality]) == 0
        returns[quality] = json.loads(capsys.readouterr().out)["return"]
    assert returns["random"] < returns["medium"] < returns["expert"]


def test_a_dataset_has_its_name_when_it_is_complete(tmp_path: Path) -> None:
    def breaks() -> Iterator[Episode]:
        yield some("point-robot", "point-expert", 1)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data.save(tmp_path, "some-v0", spec_of(catalogue.task("point-robot")), breaks(), ABOUT)
    assert not (tmp_path / "some-v0").exists()
    with pytest.raises(StorageError, match="no dataset there"):
        data.load(tmp_path / "some-v0")


@pytest.mark.parametrize("words", [["--tasks", "0"], ["--tasks", "-48"], ["--episodes", "0"]])
def test_counts_below_one_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", "point-robot", *words]) == 2
    assert "must be 1 or more" in capsys.readouterr().err


def cheetah(**changes: Any) -> Episode:
    """An episode of seven steps as the one-task half-cheetah has them."""
    card = catalogue.task("half-cheetah:horizon=7")
    rng = np.random.default_rng(0)
    last = np.arange(7) == 6
    whole = Episode(
        task=sampling.task_set(card, "train").digests[0],
        parameters=[1.0],
        seed=0,
        obs=rng.normal(size=(8, 17)).astype(np.float32),
        action=rng.uniform(-1, 1, (7, 6)).astype(np.float32),
        reward=rng.normal(size=7).astype(np.float32),
        terminated=last & False,
        truncated=last,
        success=last & False,
    )
    return replace(whole, **changes)


def kept(
    root: Path, monkeypatch: pytest.MonkeyPatch, *episodes: Episode, **about: str
) -> offline_dataset.OfflineDataset:
    """Saved as logs of that card, and read."""
    card = catalogue.task("half-cheetah:horizon=7,data=mine")
    monkeypatch.setenv("METAIRL_DATA", str(root))
    said = ABOUT | {"world_sha256": offline_dataset.env_sha256(card)} | about
    data.save(root, offline_dataset.name(card, "mine", "train"), spec_of(card), episodes, said)
    return offline_dataset.read(card, spec_of(card), "train")


@pytest.mark.parametrize("task, ends", [("hopper:horizon=20", True), ("half-cheetah:horizon=7", False)])
def test_logs_and_what_is_shown_of_them_know_which_ends_are_seen(
    task: str, ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METAIRL_DATA", str(tmp_path))
    assert main(["collect", task, "--quality", "random", "--episodes", "2", "--out", str(tmp_path)]) == 0
    card = catalogue.task(f"{task},data=random,demos=1")
    read, few = (
        offline_dataset.read(card, spec_of(card), "train"),
        demonstrations.demo_dataset(card, spec_of(card), "train", 0),
    )
    assert [found.ends is not None for found in (read, few, few.select(0))] == [ends] * 3


def spoilt(name: str, value: float) -> dict[str, Any]:
    values = getattr(cheetah(), name).copy()
    values[3] = value
    return {name: values}


@pytest.mark.parametrize(
    "changes, why",
    [
        (spoilt("reward", np.nan), "'reward' has values that are not finite"),
        (spoilt("obs", np.inf), "'obs' has values that are not finite"),
        ({"obs": cheetah().obs[:-1]}, "the final observation is missing"),
        ({"obs": cheetah().obs[:, :5]}, r"'obs' has shape \(8, 5\), not \(8, 17\)"),
        ({"action": cheetah().action[:, :2]}, r"'action' has shape \(7, 2\), not \(7, 6\)"),
        ({"truncated": cheetah().terminated}, "must end with its last step"),
    ],
)
def test_logs_that_cannot_be_trusted_are_refused(
    changes: dict[str, Any], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(kept(tmp_path / "good", monkeypatch, cheetah())) == 1
    with pytest.raises(DamagedFile, match=f"episode 0: .*{why}"):
        kept(tmp_path / "bad", monkeypatch, cheetah(**changes))


def test_logs_of_another_world_or_of_held_out_tasks_or_of_too_few_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="in another version of"):
        kept(tmp_path, monkeypatch, cheetah(), world_sha256="0" * 64)
    card = catalogue.task("point-robot:data=mine")
    about = ABOUT | {"world_sha256": offline_dataset.env_sha256(card)}
    monkeypatch.setenv("METAIRL_DATA", str(tmp_path))
    held_out = some("point-robot", "point-expert", 2)
    for split, why in (
        ("train", "2 of its training tasks are"),
        ("test", "98 of the 100"),
    ):
        data.save(tmp_path, offline_dataset.name(card, "mine", split), spec_of(card), held_out, about)
        with pytest.raises((DamagedFile, StorageError), match=why):
            offline_dataset.read(card, spec_of(card), split)
    with pytest.raises(StorageError, match="collect one with: metairl collect point-robot-v1 --quality mine"):
        offline_dataset.read(card, spec_of(card), "validation")


def test_a_flipped_byte_and_a_pickled_object_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path, monkeypatch, cheetah())
    (columns,) = tmp_path.glob("*/columns.npz")
    whole = columns.read_bytes()
    place = whole.index(cheetah().reward.tobytes())
    columns.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(DamagedFile, match=r"cannot be read|SHA-256 differs"):
        data.load(columns.parent)
    np.savez(columns, obs=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DamagedFile, match="cannot be read"):
        data.load(columns.parent)


def test_anybodys_dataset_becomes_logs_of_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without infos, in 64 bits; its second episode was cut without saying so."""
    theirs = [cheetah(), cheetah(truncated=cheetah().terminated)]
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "theirs"))
    (tmp_path / "theirs").mkdir()
    with warnings.catch_warnings():  # of words that nobody has to say
        warnings.simplefilter("ignore", UserWarning)
        minari.create_dataset_from_buffers(
            "medium-v0",
            [
                minari.data_collector.EpisodeBuffer(
                    id=number, observations=list(one.obs.astype(float)),
                    actions=list(one.action.astype(float)),
                    rewards=one.reward.tolist(), terminations=one.terminated.tolist(),
                    truncations=one.truncated.tolist(),
                )
                for number, one in enumerate(theirs)
            ],
            observation_space=spaces.Box(-np.inf, np.inf, (17,), np.float64),
            action_space=spaces.Box(-1, 1, (6,), np.float64),
        )  # fmt: skip
    monkeypatch.setenv("METAIRL_DATA", str(tmp_path / "ours"))
    words = ["collect", "half-cheetah:horizon=7", "--take", str(tmp_path / "theirs" / "medium-v0")]
    assert main(words) == 2
    assert "--take needs a --name" in capsys.readouterr().err
    assert main([*words, "--name", "theirs"]) == 0
    card = catalogue.task("half-cheetah:horizon=7,data=theirs")
    read = offline_dataset.read(card, spec_of(card), "train").replay
    assert read.lengths.tolist() == [[7, 7]]
    for name, values in (
        ("obs", cheetah().obs[:-1]),
        ("next_obs", cheetah().obs[1:]),
        ("action", cheetah().action),
    ):
        for place in range(2):
            torch.testing.assert_close(read.data[name][0, place], torch.from_numpy(values))
    assert read.data["done"][0, :, -1].tolist() == [1.0, 1.0] and not read.data["terminated"].any()
    assert main(["collect", "point-robot", "--take", str(tmp_path), "--name", "x"]) == 2
    assert "--take is for cards of one task" in capsys.readouterr().err
