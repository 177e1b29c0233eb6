"""Judges with written principles: by rule, and behind an endpoint that is here a thread of the test."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import tensor

from metairl.core.errors import CardError, Unreachable, UsageError
from metairl.core.records import RunFolder
from metairl.core.rng import stream
from metairl.core.types import Spec
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.experiments.run import execute
from metairl.methods.registry import find
from metairl.methods.settings import settings_from
from metairl.rewards.preferences import constitution_teacher, llm_teacher
from metairl.rewards.preferences.clip_features import feature
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.tasks import catalogue
from metairl.tasks.constitution_card import Constitution, Principle

SPEC = Spec(obs=2, actions=2, discrete=False, horizon=20, episodes=1, params=2)


def clips() -> Pairs:
    """Two steps at (0, 0) and (3, 4), then two at the origin; the goal is the origin."""
    obs = tensor([[[[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    action = tensor([[[[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]]])
    return Pairs(obs, action, torch.ones(1, 2, 2), torch.zeros(1, 2))


@pytest.mark.parametrize(
    "trait, of, values",
    [("distance", [0, 1], [2.5, 0.0]), ("level", [1], [2.0, 0.0]), ("effort", [], [2.5, 2.0]),
     ("jerk", [], [5.0, 0.0])],
)  # fmt: skip
def test_traits_by_hand(trait: str, of: list[int], values: list[float]) -> None:
    principle = Principle(text="", trait=trait, of=of, prefer="less", weight=1.0)
    assert feature(principle, clips())[0].tolist() == pytest.approx(values)


def test_a_judge_by_rule_weighs_traits_by_their_spread() -> None:
    """Distance 2.5 and 0 and jerk 5 and 0 are one spread either side: u differs by 2 · 1.05."""
    teacher = constitution_teacher.make(constitution_teacher.Config(firmness=0.5), SPEC)
    first = teacher.answer(clips(), torch.zeros(1, 2, 2), stream("judge")).first
    assert first.item() == pytest.approx(1 / (1 + math.exp(0.5 * 2 * 1.05)), rel=1e-5)


def test_more_of_a_trait_is_preferred_where_a_principle_says_so() -> None:
    calm = Principle(text="", trait="effort", prefer="less", weight=1.0)
    for prefer, first in (("more", 1 / (1 + math.exp(-2.0))), ("less", 1 / (1 + math.exp(2.0)))):
        rules = Constitution(id="x", title="", principles=[calm.model_copy(update={"prefer": prefer})])
        teacher = constitution_teacher.ByRule(constitution_teacher.Config(firmness=1.0), rules)
        answers = teacher.answer(clips(), torch.zeros(1, 2, 2), stream("judge"))
        assert answers.first.item() == pytest.approx(first, rel=1e-5)


def test_what_a_constitution_cannot_say_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "benchmarks" / "constitutions"
    folder.mkdir(parents=True)
    (folder / "silent.toml").write_text('id = "silent"\ntitle = "Nothing"\n')
    line = '[[principles]]\ntext = ""\ntrait = "level"\nprefer = "more"\nweight = 1.0\n'
    (folder / "vague.toml").write_text(f'id = "vague"\ntitle = "Of what?"\n{line}')
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path))
    with pytest.raises(CardError, match="constitution 'silent' is empty: a judge needs a principle"):
        catalogue.constitution("silent")
    with pytest.raises(CardError, match=r"principles\.0'.*trait 'level' needs 'of', numbers from 0 on"):
        catalogue.constitution("vague")
    with pytest.raises(UsageError, match=r"no constitution 'arrives'; did you mean 'arrive'\?"):
        constitution_teacher.make(constitution_teacher.Config("arrives"), SPEC)
    with pytest.raises(UsageError, match="'keep-speed' reads 9 observations, and there are 2"):
        constitution_teacher.make(constitution_teacher.Config("keep-speed"), SPEC)


@contextmanager
def serving(replies: list[Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An endpoint that says these one after the other, the last again and again; what it was asked."""
    heard: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {
                "path": self.path, "key": self.headers.get("Authorization")})  # fmt: skip
            reply = replies[min(len(heard), len(replies)) - 1]
            self.send_response(200 if isinstance(reply, dict) else reply)
            self.end_headers()
            if isinstance(reply, dict):
                self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *words: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def word(said: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": said}}]}


def likely(one: float, two: float) -> dict[str, Any]:
    """As the API has it, with another token among the likely ones."""
    top = [{"token": t, "logprob": math.log(p)} for t, p in ((" 1", one), ("2", two), ("Clip", 0.1))]
    return word("1") | {"choices": [{"message": {"content": "1"},
                                     "logprobs": {"content": [{"top_logprobs": top}]}}]}  # fmt: skip


def ask(url: str, tries: int = 1) -> torch.Tensor:
    teacher = constitution_teacher.make(
        constitution_teacher.Config(url=url, seconds=2.0, tries=tries, model="small"), SPEC
    )
    return teacher.answer(clips(), torch.zeros(1, 2, 2), stream("judge")).first


def test_both_orders_are_asked_and_averaged() -> None:
    """0.6 of 0.8 for the first, then 0.5 of 0.9 for the first of the other order."""
    with serving([likely(0.6, 0.2), likely(0.5, 0.4)]) as (url, heard):
        assert ask(url).item() == pytest.approx((0.75 + 1 - 5 / 9) / 2, rel=1e-5)
    one, two = (question["messages"][0]["content"] for question in heard)
    assert "Clip 1: distance 2.5, jerk 5\nClip 2: distance 0, jerk 0" in one
    assert "Clip 1: distance 0, jerk 0\nClip 2: distance 2.5, jerk 5" in two
    assert "- Prefer the clip that stays nearer" in one
    assert heard[0]["path"] == "/v1/chat/completions" and heard[0]["model"] == "small"


def test_a_judge_that_prefers_a_place_is_heard_as_undecided() -> None:
    with serving([word("1")]) as (url, _):
        assert ask(url).item() == 0.5
    with serving([word("2"), word(" 1\n")]) as (url, _):
        assert ask(url).item() == 0.0


def test_a_key_is_sent_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([word("1")]) as (url, heard):
        ask(url)
        monkeypatch.setenv("METAIRL_JUDGE_KEY", "abc")
        ask(url)
    assert [question["key"] for question in heard] == [None, None, "Bearer abc", "Bearer abc"]


def test_a_question_is_asked_again_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_teacher, "PAUSE", 0.01)
    with serving([500, word("maybe"), word("1"), word("2")]) as (url, heard):
        assert ask(url, tries=3).item() == 1.0
        assert len(heard) == 4
    with serving([word("maybe")]) as (url, heard):
        with pytest.raises(Unreachable, match=r"no answer from the judge .*'maybe' is neither 1 nor 2"):
            ask(url, tries=2)
        assert len(heard) == 2


def test_a_judge_that_is_not_there_is_one_line_and_leaves_no_half_session(tmp_path: Path) -> None:
    values = {"recipe": {"trials": 8, "queries": {"teacher": {"url": "http://127.0.0.1:9/v1", "tries": 1}}}}
    settings = settings_from(find("rlaif"), "oracle", values, "")
    wanted = make_request("rlaif", "point-robot:episodes=1", steps=500, settings=settings)
    with pytest.raises(Unreachable, match=r"^http://127\.0\.0\.1:9/v1: no answer from the judge \(.*\)$"):
        execute(wanted, tmp_path, [])
    assert RunFolder(tmp_path).description()["status"] == "failed"
    _, recipe = build(wanted)
    with pytest.raises(Unreachable):
        recipe.iterate(0.0)
    assert recipe.queries.asked == 0 and recipe.queries.pairs is None


def test_agreement_with_what_the_task_pays_is_reported() -> None:
    values = {"recipe": {"trials": 16, "queries": {"labels": 60, "initial_share": 1.0, "length": 5}}}
    settings = settings_from(find("rlaif"), "oracle", values, "")
    _, recipe = build(make_request("rlaif", "point-robot:episodes=1", steps=500, settings=settings))
    found = recipe.iterate(0.0)
    assert found["labels"] == 60 and 0.85 < found["agreement"] <= 1.0
