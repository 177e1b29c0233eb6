"""Claims against fresh episodes: honest networks agree, invented numbers do not; agents from outside."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import ABOUT, edit, judgement

from metairl.boards.bundle import Bundle
from metairl.boards.check import check
from metairl.boards.pack import pack, seal
from metairl.boards.rerun import LEVEL, overclaimed
from metairl.cli.main import main
from metairl.core.records import Evaluation, RunFolder
from metairl.evaluation import protocol
from metairl.experiments import external_agents
from metairl.tasks import catalogue, sampling

TASK = "bandit-5:pulls=10"
PLACE = "bandit-5-v1_pulls=10/seed-0"
BOARD = "bandits-mdps"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small training."""
    out = tmp_path_factory.mktemp("runs") / "rl2"
    words = ["train", "rl2", TASK, "--steps", "20000", "--out", str(out), "--wandb", "disabled"]
    assert main(words) == 0
    edit(out / "run.json", lambda run: run.update(dirty=False))  # whatever the tree is that tests run in
    return out


@pytest.fixture
def row(run: Path, tmp_path: Path) -> Path:
    pack([run], BOARD, ABOUT, tmp_path / "row", checkpoints=True)
    return tmp_path / "row"


def rerun(path: Path, *more: str, nonce: str = "n") -> int:
    return main(["board", "rerun", str(path), "--nonce", nonce, *more])


def agreed(path: Path, *more: str) -> str:
    """The first nonce by which claims stand; one in twenty says otherwise of honest ones."""
    return next(nonce for nonce in "abcde" if rerun(path, *more, nonce=nonce) == 0)


def embellished(row: Path) -> Path:
    """Every return is one reward better than it was, and all sums agree."""

    def better(e: Evaluation) -> list[Evaluation]:
        return [replace(e, returns=[value + 1.0 for value in e.returns])]

    judgement(row, better, PLACE)
    seal(row, catalogue.boards()[BOARD], ABOUT)
    assert check(row).sound
    return row


def test_networks_that_do_what_was_claimed_agree(row: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One nonce in twenty may say otherwise; the same one always says the same."""

    def said(nonce: str) -> Any:
        code, told = rerun(row, "--json", nonce=nonce), json.loads(capsys.readouterr().out)
        assert told["agrees"] == (told["p"] >= LEVEL) == (code == 0)
        return told

    answers = [said(nonce) for nonce in "abcdef"]
    assert sum(told["agrees"] for told in answers) >= 3
    columns = [column for told in answers for column in told["columns"]]
    assert len({column["seen"] for column in columns}) > 1
    assert columns[0]["claimed"] == pytest.approx(np.mean([column["seen"] for column in columns]), abs=20)
    assert said("a") == answers[0]


def test_numbers_that_were_embellished_do_not(row: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rerun(embellished(row), "--episodes", "400") == 10
    assert "does not agree" in capsys.readouterr().out


def test_without_networks_nothing_can_be_run_again(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack([run], BOARD, ABOUT, tmp_path / "bare", checkpoints=False)
    assert rerun(tmp_path / "bare") == 10
    assert "packed without its networks" in capsys.readouterr().err


def test_what_is_refused_is_not_run(row: Path) -> None:
    (row / "SHA256SUMS").unlink()
    assert rerun(row) == 10


def test_the_result_goes_into_the_ledger(row: Path) -> None:
    book = row.parent / "book.jsonl"
    assert main(["board", "accept", str(row), "--ledger", str(book)]) == 0
    nonce = agreed(row, "--record", str(book))
    last = json.loads(book.read_text().splitlines()[-1])
    assert last["event"] == "rerun" and last["agreed"] and last["nonce"] == nonce


# the test of claims


def detected(true: float, claimed: float, episodes: int, rng: np.random.Generator) -> bool:
    """Whether a claimed rate, of that many episodes, is doubted by a hundred fresh ones."""
    told = (np.arange(episodes) < round(claimed * episodes)).astype(float)
    seen = (rng.random(100) < true).astype(float)
    return overclaimed([(told, seen)], rng) < LEVEL


def test_success_that_was_made_up_is_found_and_honest_rows_are_left_alone() -> None:
    """A hundred rows of each kind; claims of 1,000 episodes, as a board's mazes have."""
    rng = np.random.default_rng(0)
    rates = rng.uniform(0.05, 0.8, 100)
    frauds = sum(detected(rate, rate + 0.15, 1000, rng) for rate in rates)
    honest = sum(detected(rate, (rng.random(1000) < rate).mean(), 1000, rng) for rate in rates)
    print(f"frauds found {frauds} of 100, honest rows doubted {honest} of 100")
    assert frauds >= 80
    assert honest <= 5


def test_the_p_value_of_a_case_by_hand() -> None:
    """Two claimed, two seen: of the six ways to deal, only one has both ones among the claimed."""
    p = overclaimed([(np.array([1.0, 1.0]), np.array([0.0, 0.0]))], np.random.default_rng(0))
    assert p == pytest.approx(1 / 6, abs=0.02)


def test_columns_are_dealt_each_for_itself() -> None:
    """A column on which all is 1 does not hide another one's difference."""
    ones, zeros = np.ones(50), np.zeros(50)
    assert overclaimed([(ones, ones), (ones, zeros)], np.random.default_rng(0)) < 0.001


# agents from outside

AGENT = '''
import numpy as np

class Greedy:
    """Pulls every arm once, then the one that paid most."""
    name, steps, settings = "greedy-outside", 0, {"pulls": 1}

    def __init__(self, arms):
        self.arms = arms

    def start(self, lanes):
        return np.zeros((lanes, self.arms)), np.zeros((lanes, self.arms))

    def act(self, seen, memory):
        paid, pulled = memory
        paid, pulled = paid + seen.action * seen.reward[:, None], pulled + seen.action
        value = np.where(pulled > 0, paid / np.maximum(pulled, 1), 2.0)
        return value.argmax(1), (paid, pulled)

class Cheat(Greedy):
    name = "cheat"
    def act(self, seen, memory):
        return np.full(len(seen.obs), 99), memory

def greedy(task, seed):
    return Greedy(5)

def cheat(task, seed):
    return Cheat(5)
'''


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with somebody's own code."""
    (tmp_path / "stranger.py").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    return tmp_path


def test_an_agent_from_outside_is_judged_submitted_and_run_again(elsewhere: Path) -> None:
    assert main(["judge", "stranger:greedy", TASK, "--out", "runs/greedy"]) == 0
    edit(elsewhere / "runs/greedy/run.json", lambda run: run.update(dirty=False))
    judged = [r for r in RunFolder(elsewhere / "runs/greedy").records() if isinstance(r, Evaluation)]
    assert [(e.split, e.k, len(e.returns)) for e in judged] == [("test", 1, 20_000)]
    assert 5.8 < np.mean(judged[0].returns) < 6.5  # arms that are pulled blindly pay 5, the best rule's 6.66
    said = ["--authors", "A. Stranger", "--description", "Pulls every arm once.", "--family", "classical"]
    assert main(["submit", "runs/greedy", "--board", BOARD, "--out", "row", *said]) == 0
    assert json.loads((elsewhere / "row/submission.json").read_text())["method"]["slug"] == "greedy-outside"
    assert agreed(elsewhere / "row", "--agent", "stranger:greedy")
    assert rerun(elsewhere / "row") == 2
    assert Bundle(elsewhere / "row").runs == [PLACE]


@pytest.mark.parametrize(
    ("agent", "word"),
    [
        ("stranger:cheat", "whole numbers below 5"),
        ("stranger:nobody", "no agent 'stranger:nobody'"),
        ("nowhere:x", "no agent 'nowhere:x'"),
    ],
)
def test_agents_that_cannot_be_judged(
    elsewhere: Path, agent: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", agent, TASK, "--out", "runs/x"]) == 2
    assert word in capsys.readouterr().err


LOOKS = """
class Looks:
    name, steps, settings = "looks", 0, {}

    def adapt(self, support):
        self.support = support

    def start(self, lanes):
        return ()

    def act(self, seen, memory):
        assert seen.reward is None
        return self.support[0].action[:1].repeat(len(seen.obs), axis=0), memory

def make(task, seed):
    return Looks()
"""


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(("task", "paid"), [("data=expert,demos=1,episodes=1", False), ("data=replay", True)])
def test_an_agent_from_outside_sees_what_its_card_shows_and_no_reward_more(
    elsewhere: Path, task: str, paid: bool
) -> None:
    (elsewhere / "looker.py").write_text(LOOKS)
    agent = external_agents.load("looker:make", f"point-robot:{task}", 0)
    card = catalogue.task(f"point-robot:{task}")
    assert len(agent.agent.support) == len(sampling.task_set(card, "test"))
    assert all((shown.reward is not None) == paid for shown in agent.agent.support)
    protocol.meta_test(
        agent, card, sampling.task_set(card, "test"), external_agents.inputs(card), 0, protocol.StepCounts()
    )


def test_a_card_that_shows_its_tasks_asks_for_adapt(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = "cartpole:data=expert,demos=1"
    assert main(["judge", "stranger:greedy", task, "--out", "runs/x"]) == 2
    assert "has no 'adapt'" in capsys.readouterr().err
