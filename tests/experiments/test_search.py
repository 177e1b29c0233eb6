"""A search: judged on validation tasks alone, chosen by it, resumed as any plan, and counted as a cost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from metairl.cli.main import main
from metairl.core.errors import CardError, UsageError
from metairl.core.interfaces import Policy
from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation import protocol, tables
from metairl.experiments import search
from metairl.experiments.run import execute
from metairl.experiments.search import Candidate, best
from metairl.methods import registry, requirements, settings
from metairl.tasks import catalogue
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet

TASK = "bandit-5:pulls=7"  # nothing is tuned for it
WORDS = ["search", "rl2", TASK, "--trials", "3", "--budget", "6000", "--jobs", "2"]
WILD = """
id = "wild"
title = "Settings that diverge"
methods = ["rl2"]
recipe = { learning_rate = { law = "one-of", values = [1e30] } }
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("searched")
    assert main([*WORDS, "--out", str(out)]) == 0
    return out


def judged(folder: Path) -> list[Evaluation]:
    return [record for record in RunFolder(folder).records() if isinstance(record, Evaluation)]


def test_only_validation_tasks_are_judged(searched: Path) -> None:
    runs = sorted(file.parent for file in searched.glob("**/run.json"))
    assert len(runs) == 3
    for folder in runs:
        assert {evaluation.split for evaluation in judged(folder)} == {"validation"}
        assert RunFolder(folder).description()["judged"] == "validation"


@pytest.mark.parametrize("method", ["rl2", "ucb1"])
def test_no_test_task_is_lived_in(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lived: list[str] = []
    judge = protocol.meta_test

    def noted(policy: Policy, card: TaskCard, tasks: TaskSet, *others: Any) -> list[Evaluation]:
        lived.append(tasks.split)
        return judge(policy, card, tasks, *others)

    monkeypatch.setattr(protocol, "meta_test", noted)
    wanted = search.wanted(method, TASK, None, None, 1, 1, 2000)
    (candidate,) = search.plan(wanted, tmp_path)
    execute(candidate.jobs[0].request, candidate.jobs[0].path, [])
    assert set(lived) == {"validation"} and candidate.score > 3


def test_the_best_on_validation_is_chosen_and_its_card_says_what_the_search_cost(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finals = {}
    for index in range(3):
        last = judged(searched / f"{index:03}" / "seed-0")[-1]
        finals[index] = sum(last.returns) / len(last.returns)
    candidates = search.plan(search.wanted("rl2", TASK, None, None, 3, 1, 6000), searched)
    chosen = best(candidates)
    assert chosen and chosen.index == max(finals, key=lambda index: finals[index])
    spent = sum(judged(searched / f"{index:03}" / "seed-0")[-1].env_steps for index in range(3))
    shelf = tmp_path / "shelf" / "benchmarks" / "tuned"
    shelf.mkdir(parents=True)
    (shelf / "rl2.toml").write_text((searched / "chosen.toml").read_text())
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path / "shelf"))
    assert settings.tuned(registry.find("rl2"), TASK, "rl2")[1] == chosen.jobs[0].request.settings
    words = ["train", "rl2", TASK, "--steps", "1", "--wandb", "disabled", "--out"]
    assert main([*words, str(tmp_path / "chosen")]) == 0
    assert RunFolder(tmp_path / "chosen").description()["searched"] == spent >= 6000
    assert main([*words, str(tmp_path / "other"), "--learner.clip", "0.3"]) == 0
    assert "searched" not in RunFolder(tmp_path / "other").description()


def test_the_same_words_make_nothing_again(searched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {file: file.read_bytes() for file in searched.glob("**/*.json*")}
    assert main([*WORDS, "--out", str(searched), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["trial"] for row in said["trials"]] == [0, 1, 2] and said["trials"][0]["values"] == {}
    assert {file: file.read_bytes() for file in before} == before


def test_a_search_that_is_killed_goes_on_and_chooses_the_same(searched: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "metairl", *WORDS, "--out", str(tmp_path)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
    while not any(file.stat().st_size for file in tmp_path.glob("**/records.jsonl")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert main([*WORDS, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "chosen.toml").read_bytes() == (searched / "chosen.toml").read_bytes()


def test_what_diverges_is_out_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shelf = tmp_path / "shelf" / "benchmarks" / "search"
    shelf.mkdir(parents=True)
    (shelf / "wild.toml").write_text(WILD)
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path / "shelf"))
    words = ["search", "rl2", TASK, "--space", "wild", "--trials", "2", "--budget", "16000"]
    assert main([*words, "--out", str(tmp_path / "out"), "--json"]) == 0
    said = capfd.readouterr()
    told = json.loads(said.out)
    assert told["chosen"] == 0 and told["trials"][1]["return"] is None
    assert "missing: rl2+rl2 bandit-5-v1:pulls=7 seed 0, candidate 1" in said.err
    assert main([*words, "--out", str(tmp_path / "out"), "--json"]) == 0
    assert "missing" not in capfd.readouterr().err


def test_a_longer_search_has_the_candidates_of_a_shorter_one() -> None:
    short, long = (search.wanted("rl2", TASK, None, None, count, 1, None) for count in (5, 20))
    assert [short.drawn(index) for index in range(5)] == [long.drawn(index) for index in range(5)]
    assert len({str(long.drawn(index)) for index in range(20)}) > 15
    rates = [long.drawn(index)["recipe"]["learning_rate"] for index in range(1, 20)]
    assert all(3e-4 <= rate < 1e-2 for rate in rates) and min(rates) < 1e-3 and max(rates) > 3e-3


def test_no_number_ranks_last() -> None:
    class Scored(Candidate):
        @property
        def score(self) -> float:
            return [float("nan"), -3.0, 2.0, 2.0][self.index]

    rows = [Scored(index, {}, []) for index in range(4)]
    chosen = best(rows)
    assert chosen and chosen.index == 2 and best(rows[:1]) is None


def test_candidates_fill_no_cell_of_a_table(searched: Path) -> None:
    assert tables._completed(searched) == []


@pytest.mark.parametrize("space", catalogue.spaces().values(), ids=str)
def test_every_key_of_every_space_is_one_of_its_methods(space: search.Space) -> None:
    for name in space.methods:
        method = registry.find(name)
        for share in (0.0, 0.999):
            values: search.Values = {}
            for (part, key), choice in space.choices.items():
                values.setdefault(part, {})[key] = choice.at(share)
            requirements.check_counts(settings.settings_from(method, method.encoder, values, space.id))


@pytest.mark.parametrize(
    "words, message",
    [
        ("fine-tune point-robot", "method 'fine-tune' is now: sac --regime fine-tune"),
        ("rl2 bandit-5 --space on-polcy", "no space 'on-polcy'; did you mean 'on-policy'?"),
        ("random bandit-5", "0 spaces are meant for 'random': choose by --space"),
        ("rl2 bandit-5 --trials 0", "--trials must be 1 or more, not 0"),
        ("rl2 bandit-5 --trials 10 --budget 9", "--budget 9 leaves no step for 10 runs"),
    ],
)
def test_what_cannot_be_searched_is_refused(words: str, message: str, tmp_path: Path) -> None:
    from metairl.cli.search import main as command

    with pytest.raises(UsageError) as refused:
        command([*words.split(), "--out", str(tmp_path / "out")])
    assert message in str(refused.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "broken, message",
    [
        ('learning_rate = { law = "log-uniform", low = 0.0, high = 1.0 }', "'low' must be below 'high'"),
        ('learning_rate = { law = "one-of", values = [] }', "at least 1 item"),
        ("", "has no settings to search"),
    ],
)
def test_a_broken_space_is_named(
    broken: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "benchmarks" / "search"
    shelf.mkdir(parents=True)
    (shelf / "mine.toml").write_text(f'id = "mine"\ntitle = "x"\nmethods = ["rl2"]\n[recipe]\n{broken}\n')
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path))
    with pytest.raises(CardError) as fault:
        catalogue.spaces()
    assert message in str(fault.value)
