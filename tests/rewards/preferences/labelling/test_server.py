"""Comparing clips on a page: what the server gives to whom, and twenty answers in a browser."""

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from metairl.cli.prefer import Prefer, main, serving
from metairl.core.errors import DamagedFile, UsageError
from metairl.rewards.preferences.human_answers import Answer, append, read
from metairl.rewards.preferences.labelling.server import POLICY, Server

pytestmark = pytest.mark.usefixtures("logged")
TASK = "point-robot:data=replay"


@contextmanager
def open_page(out: Path, questions: int = 20, seed: int = 0, steps: int = 6) -> Iterator[Server]:
    server = serving(Prefer(TASK, out, questions, steps, seed, port=0))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(server: Server, way: str, path: str, said: object = None, **headers: str) -> tuple[int, Any, Any]:
    """Status, headers and body."""
    line = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    body = None if said is None else json.dumps(said)
    own = {"Content-Type": "application/json"} if said is not None else {}
    line.request(way, path, body, own | headers)
    answer = line.getresponse()
    came = answer.status, dict(answer.headers), answer.read()
    line.close()
    return came


def words(path: Path) -> list[str]:
    return [answer.answer for _, answer in read(path)]


def test_an_answer_is_on_the_disk_before_the_next_question_comes(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with open_page(out) as server:
        shown = json.loads(ask(server, "GET", "/question")[2])
        assert shown == {"number": 0, "of": 20, "left": "/clip/0/left.svg", "right": "/clip/0/right.svg"}
        first = server.questions.open[0]
        status, _, body = ask(server, "POST", "/answer", {"number": 0, "answer": "right"})
        assert status == 200 and json.loads(body)["number"] == 1
        assert [answer for _, answer in read(out)] == [first.answered("right")]


def test_an_answer_to_another_question_is_not_kept(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with open_page(out) as server:
        for number in (1, -1, None, "0"):
            assert ask(server, "POST", "/answer", {"number": number, "answer": "left"})[0] == 409
        assert ask(server, "POST", "/answer", {"number": 0, "answer": "both"})[0] == 400
        assert ask(server, "POST", "/answer", {"number": 0})[0] == 400
        assert ask(server, "POST", "/answer", [0])[0] == 400
    assert not out.exists()


def test_nobody_from_elsewhere_reads_or_answers(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    good = {"number": 0, "answer": "left"}
    with open_page(out) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert ask(server, "GET", "/question", Host="evil.example")[0] == 403
        assert ask(server, "POST", "/answer", good, Origin="http://evil.example")[0] == 403
        assert ask(server, "POST", "/answer", good, **{"Content-Type": "text/plain"})[0] == 403
        assert ask(server, "POST", "/answer", good | {"more": "x" * 2000})[0] == 403
        for path in ("/../server.py", "/clip/1/left.svg", "/clip/0/middle.svg", "/clip/0/left.svg/x"):
            assert ask(server, "GET", path)[0] == 404
        status, headers, body = ask(server, "GET", "/")
    assert status == 200 and headers["Content-Security-Policy"] == POLICY
    assert b"http" not in body  # nothing of the page comes from elsewhere
    assert not out.exists()


def test_clips_are_those_of_the_question_and_where_the_goal_is(tmp_path: Path) -> None:
    with open_page(tmp_path / "answers.jsonl") as server:
        question = server.questions.open[0]
        seen, goal = server.questions.clips(question)
        kept = server.questions.replay.data["obs"][question.task, question.trials[1]]
        assert seen[1].equal(kept[question.first[1] : question.first[1] + 6])
        picture = ask(server, "GET", "/clip/0/right.svg")[2].decode()
    x, y = seen[1][0].tolist()
    assert f'd="M{x:.4f},{-y:.4f} L' in picture
    assert f'cx="{goal[0]:.4f}" cy="{-goal[1]:.4f}"' in picture


def test_a_clip_that_is_asked_for_before_its_answer_comes_after_it_too(tmp_path: Path) -> None:
    """A quick answer overtakes its pictures, the last one as well."""
    with open_page(tmp_path / "answers.jsonl", questions=2) as server:
        for number in range(2):
            assert ask(server, "GET", f"/clip/{number}/left.svg")[0] == 200
            assert ask(server, "GET", f"/clip/{number + 1}/left.svg")[0] == 404
            ask(server, "POST", "/answer", {"number": number, "answer": "left"})
            assert ask(server, "GET", f"/clip/{number}/left.svg")[0] == 200
        assert ask(server, "GET", "/clip/2/left.svg")[0] == 404


def test_the_same_line_again_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with open_page(out) as server:
        whole = server.questions.open
        for number in range(3):
            ask(server, "POST", "/answer", {"number": number, "answer": "skip"})
    with open_page(out) as server:
        assert server.questions.open == whole[3:] and server.questions.before == 3
    assert len({question.answered("left").question for question in whole}) == 20


def test_a_file_that_is_not_of_these_logs_is_refused_before_anything_is_shown(tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    append(out, Answer(999, (0, 1), (0, 0), 6, "left"))
    with pytest.raises(DamagedFile, match=r"answers\.jsonl:1: task 999 is not one of 20"):
        serving(Prefer(TASK, out, port=0))


@pytest.mark.parametrize(
    "line, complaint",
    [
        (["half-cheetah-vel:data=replay"], "clips can be drawn of point and point-sparse and point-maze"),
        (["point-robot"], "say which, as in point-robot-v1:data=replay"),
        ([TASK, "--questions", "0"], "--questions and --steps must be 1 or more"),
        ([TASK, "--steps", "500"], "this dataset has fewer than 100 different pairs of 500 steps"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(line: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        main([*line, "--port", "0"])


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with open_page(tmp_path / "a.jsonl") as server, pytest.raises(UsageError, match="try another, or 0"):
        serving(Prefer(TASK, tmp_path / "b.jsonl", port=server.server_port))


BY_MOUSE = ["left", "right", "equal", "skip", "right"] * 2
BY_KEY = {"ArrowRight": "right", "ArrowLeft": "left", "ArrowDown": "equal", "s": "skip", "S": "skip"}


@pytest.mark.browser
def test_twenty_answers_by_mouse_and_by_keyboard_are_those_in_the_file(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path; `make browser` installs it")
    sync_api = pytest.importorskip("playwright.sync_api")
    out, faults = tmp_path / "answers.jsonl", []
    with open_page(out) as server, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        asked = server.questions.open
        for answer in (BY_MOUSE[:5], BY_MOUSE[5:], list(BY_KEY), list(BY_KEY)):  # the page is closed between
            page = browser.new_page()
            page.on("console", lambda message: faults.append(message.text))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on(
                "request", lambda request: request.url.startswith(server.url) or faults.append(request.url)
            )
            page.goto(server.url)
            for act in answer:
                before = server.questions.given
                shows(page, f"{before + 1} of 20")
                page.keyboard.press(act) if act in BY_KEY else page.click(f"#{act}")
                waits(page, lambda before=before: server.questions.given == before + 1)
            page.close()
        page = browser.new_page()
        page.goto(server.url)
        shows(page, "All are answered. Thank you.")
        assert not page.is_visible("#clips")
        browser.close()
    expected = [*BY_MOUSE, *(2 * list(BY_KEY.values()))]
    given = [question.answered(word) for question, word in zip(asked, expected, strict=True)]
    assert [answer for _, answer in read(out)] == given
    assert not faults


def shows(page: Any, text: str) -> None:
    waits(page, lambda: page.text_content("#count") == text)


def waits(page: Any, holds: Any) -> None:
    """Playwright's own way needs eval, which the page's policy forbids."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it never came")
