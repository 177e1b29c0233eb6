"""How long runs may take: scaled by hand from folders that say how long they took."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from metairl.cli.main import main
from metairl.core.records import Evaluation, RunFolder, Training
from metairl.experiments import time_estimates
from metairl.experiments.request import Request, make_request
from metairl.experiments.time_estimates import duration, estimate, recorded


def ran(root: Path, asked: Request, minutes: int, **changes: Any) -> RunFolder:
    """A folder that says that the request took so long."""
    folder = RunFolder(asked.folder(root))
    folder.create()
    made = {"started": "2026-01-01T10:00:00+00:00", "finished": f"2026-01-01T10:{minutes:02}:00+00:00"}
    about = {
        "method": asked.method.name,
        "regime": asked.regime,
        "encoder": asked.encoder,
        "task": asked.task,
        "seed": asked.seed,
    }
    config = {"steps": asked.steps, "config": asdict(asked.settings), "status": "completed"}
    folder.describe(about | config | made | changes)
    return folder


def test_equal_runs_give_the_median_and_how_far_they_lay_apart(tmp_path: Path) -> None:
    for seed, minutes in enumerate((2, 3, 10)):
        ran(tmp_path, make_request("rl2", "bandit-5", seed=seed, steps=1000), minutes)
    found = estimate(make_request("rl2", "bandit-5", seed=7, steps=4000), [recorded([tmp_path])])
    assert found is not None
    assert (found.seconds, found.fastest, found.slowest, found.runs) == (720, 480, 2400, 3)
    assert str(found) == "some 12 min, 8 min to 40 min by 3 runs of it"


def test_the_nearest_runs_count_alone(tmp_path: Path) -> None:
    asked = make_request("rl2", "bandit-5:pulls=10", steps=1000)
    for task, minutes, like in (
        ("bandit-50", 50, "on other tasks of its world"),
        ("bandit-5:pulls=100", 9, "of other settings of bandit-5-v1"),
        ("bandit-5:pulls=10", 2, "of it"),
    ):
        ran(tmp_path, make_request("rl2", task, seed=1, steps=1000), minutes)
        found = estimate(asked, [recorded([tmp_path])])
        assert found is not None and (found.seconds, found.like) == (60 * minutes, like)
    assert str(found) == "some 2 min by 1 run of it"


@pytest.mark.parametrize(
    "method, task, encoder",
    [("snail", "bandit-5", None), ("rl2", "tabular-mdp", None), ("ppo", "bandit-5", "oracle")],
)
def test_other_methods_encoders_and_worlds_say_nothing(
    method: str, task: str, encoder: str | None, tmp_path: Path
) -> None:
    ran(tmp_path, make_request("rl2", "bandit-5"), 5)
    ran(tmp_path, make_request("ppo", "bandit-5", encoder="none"), 5)
    assert estimate(make_request(method, task, encoder=encoder), [recorded([tmp_path])]) is None


def test_ones_own_runs_come_first(tmp_path: Path) -> None:
    asked = make_request("rl2", "bandit-5", steps=1000)
    ran(tmp_path / "own", asked, 7)
    ran(tmp_path / "committed", asked, 3)
    shelves = [recorded([tmp_path / name]) for name in ("own", "committed")]
    found = [estimate(asked, order) for order in (shelves, shelves[::-1])]
    assert [time.seconds for time in found if time] == [420, 180]


def test_what_trains_nothing_is_scaled_by_what_is_judged(tmp_path: Path) -> None:
    ran(tmp_path, make_request("thompson", "bandit-5:pulls=10"), 2)
    found = estimate(make_request("thompson", "bandit-5:pulls=100"), [recorded([tmp_path])])
    assert found is not None and found.seconds == 1200


def test_what_is_learned_in_held_out_tasks_is_work(tmp_path: Path) -> None:
    # Ten tasks of 20,000 steps each; half-cheetah-dir has two.
    ran(tmp_path, make_request("sac", "half-cheetah-vel", regime="scratch"), 50)
    found = estimate(make_request("sac", "half-cheetah-dir", regime="scratch"), [recorded([tmp_path])])
    assert found is not None and found.seconds == 600


def test_an_interrupted_run_took_what_its_records_add_up_to(tmp_path: Path) -> None:
    asked = make_request("rl2", "bandit-5", steps=1000)
    folder = ran(tmp_path, asked, 59, resumed=1)
    judged = Evaluation("validation", 1, "", 10, 1, 0, 1, [1.0], 10, None, {"eval": 1000.0})
    tested = [Evaluation("test", k, "", 10, 1, 0, 1, [1.0], 10, None, {"eval": 5.0}) for k in (1, 2)]
    trained = [Training(n, 1, {}, {"train": 30.0 * n, "eval": 2.0 * n}) for n in (1, 2)]
    folder.append([judged, *trained, *tested])
    found = estimate(asked, [recorded([tmp_path])])
    assert found is not None and found.seconds == 60 + 4 + 5


def test_unfinished_runs_and_tasks_that_are_gone_are_left_out(tmp_path: Path) -> None:
    ran(tmp_path, make_request("rl2", "bandit-5", seed=0), 5, status="failed")
    ran(tmp_path, make_request("rl2", "bandit-5", seed=1), 5, task="bandit-7-v1")
    assert recorded([tmp_path]) == []


@pytest.mark.parametrize(
    "seconds, said",
    [(0.2, "1 s"), (89, "89 s"), (90, "1.5 min"), (3000, "50 min"), (7200, "2 h"), (7 * 86_400, "7 days")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_dry_run_says_what_is_known_and_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("metairl.cli.reproduce.committed", list)
    words = ["reproduce", "rl2-bandits", "--columns", "10,5", "--dry-run", "--runs", str(tmp_path)]
    assert main([*words, "--run", "thompson"]) == 0
    assert "training steps, time unknown, nothing like it is recorded" in capsys.readouterr().out
    ran(tmp_path, make_request("thompson", "bandit-5:pulls=100"), 20)
    assert main([*words, "--run", "thompson", "random"]) == 0
    told = capsys.readouterr().out
    assert "0 training steps, some 2 min by 1 run of other settings of bandit-5-v1" in told
    assert "together some 2 min, 2 min to 2 min, one after another, and 1 of unknown time" in told
    assert "not scaled to this machine" in told
    assert time_estimates.recorded([tmp_path])[0].work == 20_000 * 100
