"""The command line as a person meets it: quick help, near misses, exit codes, JSON."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metairl.cli.main import VERBS, main
from metairl.tasks import catalogue


def metairl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "metairl", *words], capture_output=True, text=True)


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    began = time.perf_counter()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert metairl("--help").returncode == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 0.5
    code = "import sys, metairl.cli; metairl.cli.main(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert not {"torch", "mujoco", "wandb", "metaworld", "matplotlib"} & set(loaded)


def test_every_verb_is_listed_and_has_help() -> None:
    shown = metairl("--help").stdout
    for verb in VERBS:
        assert verb in shown
        assert (Path(catalogue.PACKAGE) / "cli" / f"{verb.replace('-', '_')}.py").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        ("trian", "no verb 'trian'; did you mean 'train'?"),
        ("train rl3 bandit-5", "no method 'rl3'; did you mean 'rl2'?"),
        ("train rl2 bandit-6", "no task 'bandit-6'; did you mean 'bandit-5'?"),
        ("train rl2 bandit-5 --encoder rl1", "no encoder 'rl1'; did you mean 'rl2'?"),
        ("train ucb1 tabular-mdp", "does not run on tabular tasks"),
        ("train bayes-optimal bandit-5:pulls=100 --wandb disabled", "computed for at most 10 pulls, not 100"),
        ("list task", "no list of 'task'; did you mean 'tasks'?"),
        ("reproduce rl2-bandit", "no table 'rl2-bandit'; did you mean 'rl2-bandits'?"),
        ("reproduce rl2-bandits --columns 10,6", "no column '10,6'; did you mean '10,"),
        ("reproduce rl2-bandits --dry-run --run rl3", "has no method 'rl3'; did you mean 'rl2'?"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(
    words: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.strip().splitlines()[-1].startswith("metairl: ")


@pytest.mark.parametrize(
    "words, nearest",
    [
        ("train rl2 bandit-5 --learner.clp 0.1", "--learner.clip"),
        ("train rl2 bandit-5 --encoder.wdth 8", "--encoder.width"),
    ],
)
def test_an_unknown_flag_names_the_nearest(
    words: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words.split())
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Unrecognized options" in said and "Perhaps you meant" in said and nearest in said


@pytest.mark.parametrize(
    "words, now",
    [
        ("train iql-alone point-robot:data=replay", "method 'iql-alone' is now: iql --regime scratch"),
        ("train bc-tenth point-robot:data=replay", "method 'bc-tenth' is now: bc --recipe.best-share 0.1"),
        ("train rl2-lstm bandit-5", "method 'rl2-lstm' is now: rl2 --encoder.cell lstm"),
        (
            "train ppo bandit-5 --encoder rl2-lstm",
            "encoder 'rl2-lstm' is now: --encoder rl2 --encoder.cell lstm",
        ),
    ],
)
def test_an_old_name_is_one_line_with_the_new_one(
    words: str, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    assert capsys.readouterr().err == f"metairl: {now}\n"


def test_lists_are_objects_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("tasks", "methods", "encoders", "tables", "boards"):
        assert main(["list", kind, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert rows
        assert all(row["name"] for row in rows)
        if kind == "methods":
            assert all({"support", "paper", "problem", "regimes"} <= set(row) for row in rows)


def test_a_bad_card_has_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "mine-v1.toml").write_text('id = "mine-v1"\nhorizn = 3\n')
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path))
    assert main(["train", "random", "mine"]) == 3
    assert "unknown key 'horizn'" in capsys.readouterr().err


def test_an_exact_row_through_the_whole_command(tmp_path: Path) -> None:
    done = metairl("train", "greedy", "bandit-5", "--out", str(tmp_path / "run"), "--wandb", "disabled")
    assert done.returncode == 0, done.stderr
    assert "normalised" in done.stdout
    told = json.loads(metairl("evaluate", str(tmp_path / "run"), "--json").stdout)
    assert told["tasks"] == 20_000
    assert abs(told["return"] - 6.61) < 0.05


def test_doctor_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    assert {"torch", "device", "rendering", "wandb mode", "disk"} <= set(json.loads(capsys.readouterr().out))
