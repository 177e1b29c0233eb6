"""Films show what was done: ways in mazes and bodies at their tasks; the files play."""

from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from metairl.cli.main import main
from metairl.core.records import RunFolder
from metairl.core.types import PolicyInputs
from metairl.evaluation import videos
from metairl.evaluation.protocol import StepCounts
from metairl.evaluation.videos import arms, bodies, mazes, opengl
from metairl.evaluation.videos.watched import moments
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request
from metairl.experiments.run import execute
from metairl.tasks import catalogue, sampling
from metairl.tasks.maze_text import WALL


@pytest.mark.parametrize(
    "method, task", [("shortest-path", "snail-maze-grid"), ("shortest-walk", "snail-maze")]
)
def test_the_ways_are_those_that_were_judged(method: str, task: str) -> None:
    asked = make_request(method, task)
    policy, _ = build(asked)
    judged = judge(asked, policy, "validation", StepCounts())
    seven = sampling.task_set(asked.card, "validation")[:7]
    shown = mazes.ways(policy, asked.card, seven, PolicyInputs(task=True), seed=0)
    assert [len(episodes) for episodes in shown] == [2] * 7
    for lane, episodes in enumerate(shown):
        for way, record in zip(episodes, judged, strict=True):
            assert way.found and way.title == f"{record.all_lengths[lane]} steps"
            assert len(way.places) == record.all_lengths[lane] + 1
            assert not (way.plan[*way.places.long().unbind(1)] == WALL).any()


def test_an_episode_that_fails_says_so_and_its_way_has_every_step() -> None:
    asked = make_request("random", "snail-maze-grid")
    policy, _ = build(asked)
    shown = mazes.ways(policy, asked.card, sampling.task_set(asked.card, "test")[:20], PolicyInputs(), seed=0)
    failed = [way for episodes in shown for way in episodes if not way.found]
    assert failed and {(way.title, len(way.places)) for way in failed} == {("not found", asked.card.horizon)}


def test_the_command_writes_a_picture_and_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(make_request("shortest-path", "snail-maze-grid"), tmp_path / "run", [])
    assert main(["evaluate", str(tmp_path / "run"), "--video", str(tmp_path / "video"), "--tasks", "2"]) == 0
    shown = capsys.readouterr().out
    assert "success by episode             1.00  1.00" in shown
    with Image.open(tmp_path / "video" / "ways.png") as picture:
        assert picture.size[1] > 400
    frames = _played(tmp_path / "video" / "ways.mp4")
    assert len(frames) > videos.LINGER and (frames[0] != frames[-1]).any()


def test_evaluate_on_the_task_it_transfers_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(make_request("random", "snail-maze-grid"), tmp_path, [])
    assert main(["evaluate", str(tmp_path), "--on", "snail-maze-grid-large"]) == 0
    assert "1000 tasks of snail-maze-grid-large-v1, test" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path), "--on", "bandit-5"]) == 2
    assert "what was trained on 'snail-maze-grid-v1' cannot act on 'bandit-5'" in capsys.readouterr().err


def test_what_is_told_the_map_is_judged_on_maps_of_its_own_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(make_request("shortest-path", "snail-maze-grid"), tmp_path / "told", [])
    assert main(["evaluate", str(tmp_path / "told"), "--on", "snail-maze-grid-large"]) == 2
    assert "cannot act on 'snail-maze-grid-large'" in capsys.readouterr().err
    oracle = make_request("ppo", "snail-maze-grid", encoder="oracle", steps=1)
    execute(oracle, tmp_path / "oracle", [])
    assert RunFolder(tmp_path / "oracle").description()["status"] == "completed"


def test_what_has_no_map_and_no_body_is_not_filmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(make_request("random", "bandit-5"), tmp_path, [])
    assert main(["evaluate", str(tmp_path), "--video", str(tmp_path / "video")]) == 2
    assert "'bandit-5-v1' has no map and no body to draw" in capsys.readouterr().err
    assert not (tmp_path / "video").exists()


@pytest.fixture(scope="session")
def gl() -> None:
    if opengl.find() is None:
        pytest.skip(f"no OpenGL draws here; {opengl.INSTALL}")
    opengl.choose()


def _card(folder: Path, name: str, horizon: int) -> str:
    """A card of the suite with short episodes and few tasks, on a shelf of its own."""
    text = (catalogue.card_folders()[0] / "tasks" / f"{name}-v1.toml").read_text(encoding="utf-8")
    for old, new in (
        (f'id = "{name}-v1"', f'id = "short-{name}-v1"'),
        ("horizon = 200", f"horizon = {horizon}"),
        ("transfer = ", "# "),
        ("validation = 100\ntest = 100", "validation = 3\ntest = 3"),
    ):
        text = text.replace(old, new)
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "tasks" / f"short-{name}-v1.toml").write_text(text)
    return f"short-{name}"


def _played(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("name", ["half-cheetah-vel", "ant-goal"])
def test_bodies_are_filmed_and_judged_the_same_without(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path))
    run, video = str(tmp_path / "run"), tmp_path / "video"
    execute(make_request("random", _card(tmp_path, name, horizon=7)), Path(run), [])
    assert main(["evaluate", run, "--json"]) == 0
    alone = capsys.readouterr().out
    assert main(["evaluate", run, "--json", "--video", str(video), "--tasks", "2"]) == 0
    assert capsys.readouterr().out == alone
    frames = _played(video / "tasks.mp4")
    assert len(frames) == 2 * 4 + videos.LINGER  # two episodes, steps 1, 3, 5 and 7 of each
    assert frames[0].shape[1] == 2 * 320 and (frames[0] != frames[7]).any()
    with Image.open(video / "tasks.png") as still:
        rows = still.size[1] / frames[0].shape[0]
        assert rows == 2 * 2 and still.size[0] == bodies.MOMENTS * 320


def test_states_and_returns_of_a_film_are_those_of_the_rollout() -> None:
    """Poses say how fast the body was, and so what each step earned but for the cost of its actions."""
    asked = make_request("random", "half-cheetah-vel")
    card = asked.card.model_copy(update={"horizon": 5})
    policy, _ = build(asked)
    shown = bodies.cases(policy, card, sampling.task_set(card, "test")[:3], PolicyInputs(), seed=0)
    for case in shown:
        assert [life.poses.shape for life in case.lives] == [(5, 9)] * 2
        for life in case.lives:
            speeds = life.poses[:, 0].diff() / life.seconds
            earned = life.returns.diff(prepend=torch.zeros(1))[:-1]
            bound = -(speeds - case.parameters["velocity"][0]).abs()
            assert (earned <= bound + 1e-5).all() and (earned >= bound - 0.05 * 6 - 1e-5).all()
            assert life.speed(4) == pytest.approx(float(speeds.mean()))


RIGHT, FAR = ("right", "left"), ("far", "near")
TARGETS = [  # two of a card's, and on which sides of the picture they lie
    ("half-cheetah-vel", [2.5], [-2.5], RIGHT),
    ("half-cheetah-dir", [1.0], [-1.0], RIGHT),
    ("ant-dir", [0.0], [torch.pi], RIGHT),
    ("ant-dir", [-torch.pi / 2], [torch.pi / 2], FAR[::-1]),
    ("ant-goal", [2.0, 0.0], [-2.0, 0.0], RIGHT),
    ("ant-goal", [0.0, 2.0], [0.0, -2.0], FAR),
]


@pytest.mark.usefixtures("gl")
@pytest.mark.parametrize("name, one, other, sides", TARGETS)
def test_the_target_is_in_the_picture_on_its_side_of_the_body(
    name: str, one: list[float], other: list[float], sides: tuple[str, str]
) -> None:
    stage, pose = _stage_and_pose(name)
    assert _green(stage.draw(pose, None, 0.0)) == set()
    middles = []
    for wanted in (one, other):
        green = _green(stage.draw(pose, wanted, 0.0))
        assert len(green) > 30
        middles.append(np.mean(list(green), axis=0))
    stage.close()
    (row, column), (row_of_other, column_of_other) = middles
    if sides == RIGHT:
        assert column > 170 and column_of_other < 150
    else:
        assert (row < row_of_other - 10) == (sides == FAR) and abs(row - row_of_other) > 10


@pytest.mark.usefixtures("gl")
def test_an_arrow_is_as_long_as_the_speed_that_it_stands_for() -> None:
    stage, pose = _stage_and_pose("half-cheetah-vel")
    columns = [[x for _, x in _green(stage.draw(pose, [wanted], 0.0))] for wanted in (1.0, 2.0, -2.0)]
    stage.close()
    one, two, back = (max(max(xs) - 160, 160 - min(xs), key=abs) for xs in columns)
    assert two == pytest.approx(2 * one, rel=0.1) and back == pytest.approx(two, rel=0.1)
    assert 130 < two * 3 / 2 < 160  # the card's fastest, 3 metres a second, is just in sight


def _stage_and_pose(task: str) -> tuple[Any, Tensor]:
    from metairl.evaluation.videos.stage import Stage

    card = catalogue.task(task)
    assert card.physics
    stage = Stage(card.physics)
    return stage, torch.from_numpy(stage.model.qpos0.copy())


def _green(picture: NDArray[np.uint8]) -> set[tuple[int, int]]:
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return set(zip(*np.nonzero((green > red + 60) & (green > blue + 40)), strict=True))


@pytest.mark.usefixtures("gl")
def test_a_goal_stays_in_sight_wherever_the_body_goes() -> None:
    stage, pose = _stage_and_pose("ant-goal")
    for place in ([0.0, 0.0], [-4.0, 3.0], [5.0, 0.0], [0.0, -6.0], [1.0, 7.0]):
        pose[:2] = torch.tensor(place)
        picture = stage.draw(pose, [2.0, -1.0], 0.0)
        body = (picture[..., 0].astype(int) > picture[..., 2].astype(int) + 60).sum()
        assert len(_green(picture)) > 10 and body > 60, place
    stage.close()


def test_a_body_that_is_through_waits_and_the_last_step_is_always_shown() -> None:
    assert [list(moments(length, bodies.STRIDE)) for length in (1, 2, 5, 6)] == [
        [0],
        [1],
        [0, 2, 4],
        [1, 3, 5],
    ]


def test_numbers_and_multipliers_are_short() -> None:
    assert bodies._told("goal", [1.0, -0.5]) == "goal 1.00, −0.50"
    assert bodies._told("body_mass", [0.5, 2.0, 1.0, 3.0]) == "body_mass ×0.50 to ×3.00"
    assert bodies._number(-0.001) == "0.00"


def test_without_opengl_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MUJOCO_GL", *opengl.SCREENS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYOPENGL_PLATFORM", "none of those that MuJoCo knows")
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path))
    execute(make_request("random", _card(tmp_path, "half-cheetah-vel", horizon=2)), tmp_path / "run", [])
    assert main(["evaluate", str(tmp_path / "run"), "--video", str(tmp_path / "video")]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and said.out == ""
    assert "tried egl, osmesa" in said.err and "apt-get install libegl1 libgl1, or libosmesa6" in said.err
    assert not (tmp_path / "video").exists()


def test_the_choice_of_opengl_is_the_persons_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MUJOCO_GL", *opengl.SCREENS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(opengl.sys, "platform", "linux")
    assert opengl.candidates() == ("egl", "osmesa")
    monkeypatch.setattr(opengl, "_draws", {"osmesa"}.__contains__)
    assert opengl.find() == "osmesa"
    monkeypatch.setenv("DISPLAY", ":0")
    assert opengl.candidates() == ("glfw", "egl", "osmesa")
    monkeypatch.setenv("MUJOCO_GL", "egl")
    assert opengl.candidates() == ("egl",) and opengl.find() is None


@pytest.mark.usefixtures("gl")
def test_an_arm_is_filmed_in_its_scene_and_its_success_is_said(tmp_path: Path) -> None:
    """The expert reaches in forty steps; fixtures stand where the goal has them."""
    asked = make_request("scripted", "mt10:horizon=60")
    policy, _ = build(asked)
    tasks = sampling.task_set(asked.card, "test")
    reach, drawer = (
        arms.cases(policy, asked.card, tasks[slice(i, i + 1)], asked.inputs, 0)[0] for i in (0, 4)
    )
    assert (reach.skill, drawer.skill) == ("reach-v3", "drawer-open-v3")
    assert reach.lives[0].success.tolist() == sorted(reach.lives[0].success.tolist())
    assert not reach.lives[0].success[0] and reach.lives[0].success[-1]
    assert torch.equal(reach.target, reach.goal[3:].float())
    with closing(arms.Stage(drawer)) as stage:
        assert stage.model.body("drawer").pos.tolist() == drawer.goal[:3].tolist()
    with closing(arms.Stage(reach)) as stage:
        still, moved = stage.draw(reach.lives[0].poses[0]), stage.draw(reach.lives[0].poses[-1])
    assert (still != moved).any()
    assert len(_green(still)) > 10
