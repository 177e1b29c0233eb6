"""A matrix holds what judging each run on each card alone finds, and is refused before any judging."""

import json
from pathlib import Path

import numpy as np
import pytest

from metairl.cli.main import main
from metairl.core.errors import UsageError
from metairl.core.records import RunFolder
from metairl.evaluation import protocol
from metairl.evaluation.statistics import mean_over_seeds
from metairl.evaluation.transfer_matrix import OWN, TRAINING
from metairl.experiments import transfer
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request
from metairl.experiments.run import execute, reopen
from metairl.experiments.transfer import matrix, relation, training_sample
from metairl.tasks import catalogue, sampling

CIRCLE = "point-robot-semi-circle-v1:episodes=2"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two seeds of one configuration, and a row that is not trained."""
    root = tmp_path_factory.mktemp("runs")
    asked = [make_request("ppo", "point-robot", encoder="rl2", seed=seed, steps=1) for seed in (0, 1)]
    asked.append(make_request("random", "point-robot-semi-circle"))
    for number, one in enumerate(asked):
        execute(one, root / str(number), [])
    return [RunFolder(root / str(number)) for number in range(len(asked))]


def test_cells_are_what_is_judged_alone(runs: list[RunFolder]) -> None:
    found = matrix(runs, ["point-robot-semi-circle", "point-robot:episodes=3"], "test", None)
    assert found.columns == [OWN, CIRCLE, "point-robot-v1:episodes=3", TRAINING]
    assert [(row.method, row.seeds) for row in found.rows] == [("ppo+rl2", (0, 1)), ("random", (0,))]
    trained = found.rows[0]
    for column, on in (
        (OWN, None),
        (CIRCLE, CIRCLE),
        ("point-robot-v1:episodes=3", "point-robot:episodes=3"),
    ):
        cell = trained.cells[column]
        assert cell is not None
        for seed, folder in enumerate(runs[:2]):
            asked, policy, spent = reopen(folder)
            alone = judge(asked, policy, "test", spent, catalogue.task(on) if on else None)
            assert cell.returns[seed].tolist() == [e.returns for e in alone]
    assert trained.steps == spent.env_steps > 0
    assert [cell.relation for cell in trained.cells.values() if cell] == [
        OWN, "varied parameters", OWN, TRAINING,
    ]  # fmt: skip


def test_what_is_kept_is_judged_on_training_tasks(runs: list[RunFolder]) -> None:
    kept = matrix(runs[:1], [], "test", None).rows[0].cells[TRAINING]
    asked, policy, spent = reopen(runs[0])
    tasks = training_sample(asked.card)
    alone = protocol.meta_test(policy, asked.card, tasks, asked.inputs, asked.seed, spent)
    assert kept is not None and kept.returns[0].tolist() == [e.returns for e in alone]
    assert kept.whole() == mean_over_seeds(np.array([[e.returns for e in alone]]).sum(1))


def test_the_order_of_runs_does_not_move_a_number(runs: list[RunFolder]) -> None:
    there, back = matrix(runs[:2], [], "test", None), matrix(runs[1::-1], [], "test", None)
    for column in there.columns:
        one, other = there.rows[0].cells[column], back.rows[0].cells[column]
        assert one is not None and other is not None and np.array_equal(one.returns, other.returns)


def test_training_samples_are_training_tasks_and_always_the_same() -> None:
    fixed, endless = catalogue.task("snail-maze-grid"), catalogue.task("point-robot")
    first = sampling.task_set(fixed, "train").digests
    assert training_sample(fixed).digests == first[: fixed.split.test]
    assert training_sample(endless).sha256 == training_sample(endless).sha256
    for card in (fixed, endless):
        assert len(training_sample(card)) == card.split.test
        assert not sampling.held_out(card).intersection(training_sample(card).digests)


def test_what_does_not_fit_is_refused_before_anything_is_judged(
    runs: list[RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transfer, "judge", lambda *_: pytest.fail("it was judged"))
    folders = [str(folder.path) for folder in runs]
    words = ["evaluate", *folders, "--on", CIRCLE, "bandit-5", "--write", str(tmp_path / "found")]
    assert main(words) == 2
    assert (
        "what was trained on 'point-robot-v1:episodes=2' cannot act on 'bandit-5'" in capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_one_run_twice_is_no_second_seed(runs: list[RunFolder]) -> None:
    with pytest.raises(UsageError, match="the same run, seed 0"):
        matrix([runs[0], runs[0]], [], "test", None)


@pytest.mark.usefixtures("logged")
def test_what_infers_tasks_from_logs_has_no_training_sample() -> None:
    for encoder, judged in (("focal", False), ("none", True)):
        asked = make_request("iql", "point-robot:data=replay", encoder=encoder, steps=1)
        policy, _ = build(asked)
        assert (transfer._retained(asked, policy, protocol.StepCounts()) is not None) is judged


@pytest.mark.parametrize(
    "trained, judged, found",
    [
        ("point-robot", "point-robot:episodes=5", OWN),
        ("snail-maze-grid", "snail-maze-grid-large", "varied parameters"),
        ("half-cheetah-vel", "half-cheetah-vel-heavy", "changed dynamics"),
        ("ant-goal", "ant-goal-crippled", "changed dynamics"),
        ("ant-goal", "ant-dir", "new tasks"),
        ("ml1:skill=reach", "ml1:skill=push", "new tasks"),
        ("ml1:skill=reach", "ml1-outside:skill=reach", "varied parameters"),
        ("bandit-5", "tabular-mdp", "new tasks"),
    ],
)
def test_how_tasks_differ(trained: str, judged: str, found: str) -> None:
    assert relation(catalogue.task(trained), catalogue.task(judged)) == found


def test_the_command_prints_writes_and_says_it_in_json(
    runs: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(folder.path) for folder in runs]
    assert main(["evaluate", *folders, "--on", CIRCLE, "--write", str(tmp_path / "found")]) == 0
    shown = capsys.readouterr().out
    assert "ppo+rl2 on point-robot-v1:episodes=2, 2 seeds" in shown and "by episode: " in shown
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".md", ".png", ".svg"]
    assert main(["evaluate", *folders, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2 * 2 * 3  # rows, columns, trial and two episodes
    assert main(["evaluate", *folders, "--video", str(tmp_path)]) == 2
    assert "one run on one task" in capsys.readouterr().err
    assert main(["evaluate"]) == 2
