"""Films of mazes: the ways that are shown are the ways that were judged, and the files play."""

from pathlib import Path

import av
import pytest
from PIL import Image

from metairl import draws, film
from metairl.cli import main
from metairl.maps import WALL
from metairl.protocol import Spent
from metairl.record import RunFolder
from metairl.run import build, execute, judge, request
from metairl.types import Sight


@pytest.mark.parametrize(
    "method, task", [("shortest-path", "snail-maze-grid"), ("shortest-walk", "snail-maze")]
)
def test_the_ways_are_those_that_were_judged(method: str, task: str) -> None:
    asked = request(method, task)
    policy, _ = build(asked)
    judged = judge(asked, policy, "validation", Spent())
    mazes = film.ways(
        policy, asked.card, draws.task_set(asked.card, "validation")[:7], Sight(task=True), seed=0
    )
    assert [len(episodes) for episodes in mazes] == [2] * 7
    for lane, episodes in enumerate(mazes):
        for way, record in zip(episodes, judged, strict=True):
            assert way.found and way.title == f"{record.all_lengths[lane]} steps"
            assert len(way.places) == record.all_lengths[lane] + 1
            assert not (way.plan[*way.places.long().unbind(1)] == WALL).any()


def test_an_episode_that_fails_says_so_and_its_way_has_every_step() -> None:
    asked = request("random", "snail-maze-grid")
    policy, _ = build(asked)
    mazes = film.ways(policy, asked.card, draws.task_set(asked.card, "test")[:20], Sight(), seed=0)
    failed = [way for episodes in mazes for way in episodes if not way.found]
    assert failed and {(way.title, len(way.places)) for way in failed} == {("not found", asked.card.horizon)}


def test_the_command_writes_a_picture_and_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(request("shortest-path", "snail-maze-grid"), tmp_path / "run", [])
    assert main(["evaluate", str(tmp_path / "run"), "--video", str(tmp_path / "video"), "--mazes", "2"]) == 0
    shown = capsys.readouterr().out
    assert "success by episode             1.00  1.00" in shown
    with Image.open(tmp_path / "video" / "ways.png") as picture:
        assert picture.size[1] > 400
    with av.open(str(tmp_path / "video" / "ways.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) > film.LINGER and (frames[0] != frames[-1]).any()


def test_evaluate_on_the_task_it_transfers_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(request("random", "snail-maze-grid"), tmp_path, [])
    assert main(["evaluate", str(tmp_path), "--on", "snail-maze-grid-large"]) == 0
    assert "1000 tasks of snail-maze-grid-large-v1, test" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path), "--on", "bandit-5"]) == 2
    assert "what was trained on 'snail-maze-grid-v1' cannot act on 'bandit-5'" in capsys.readouterr().err


def test_what_is_told_the_map_is_judged_on_maps_of_its_own_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(request("shortest-path", "snail-maze-grid"), tmp_path / "told", [])
    assert main(["evaluate", str(tmp_path / "told"), "--on", "snail-maze-grid-large"]) == 2
    assert "cannot act on 'snail-maze-grid-large'" in capsys.readouterr().err
    oracle = request("ppo", "snail-maze-grid", encoder="oracle", steps=1)
    execute(oracle, tmp_path / "oracle", [])
    assert RunFolder(tmp_path / "oracle").description()["status"] == "completed"


def test_only_mazes_are_filmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(request("random", "bandit-5"), tmp_path, [])
    assert main(["evaluate", str(tmp_path), "--video", str(tmp_path / "video")]) == 2
    assert "'bandit-5-v1' has no map to draw on" in capsys.readouterr().err
    assert not (tmp_path / "video").exists()
