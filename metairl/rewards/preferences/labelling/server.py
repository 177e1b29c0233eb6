"""What a browser on this machine gets: the page, the clips of the question at hand, and a place to answer.

    GET  /                     the page, with page.js and page.css; nothing of it comes from elsewhere
    GET  /question             {"number", "of", "left", "right"}, without clips once all are answered
    GET  /clip/NUMBER/SIDE.svg
    POST /answer               {"number", "answer"}: kept, then the next question; 409 if it is not at hand

It listens at 127.0.0.1 alone and answers requests that name it so: a page from elsewhere that a browser on
this machine has open can neither read clips nor answer.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, get_args

from metairl.rewards.preferences.human_answers import Word
from metairl.rewards.preferences.labelling.questions import Question, Questions

HOST = "127.0.0.1"
ASSETS = {"/": "page.html", "/page.js": "page.js", "/page.css": "page.css"}
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
LONGEST = 1000  # bytes of an answer
Draw = Callable[[Question, int], str]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, questions: Questions, draw: Draw, port: int):
        super().__init__((HOST, port), Handler)
        self.questions, self.draw, self.lock = questions, draw, Lock()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if not self._ours():
            return self._say(HTTPStatus.FORBIDDEN)
        if self.path in ASSETS:
            file = Path(__file__).parent / "assets" / ASSETS[self.path]
            return self._say(HTTPStatus.OK, file.read_bytes(), file.suffix)
        if self.path == "/question":
            return self._ask()
        if self.path == "/favicon.ico":  # browsers ask for one
            return self._say(HTTPStatus.NO_CONTENT)
        return self._show(self.path.split("/"))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        kind = self.headers.get("Content-Type", "")
        if not self._ours() or self.path != "/answer" or kind != KINDS[".json"] or length > LONGEST:
            return self._say(HTTPStatus.FORBIDDEN)
        try:
            said = json.loads(self.rfile.read(length))
            number, word = said["number"], said["answer"]
        except (ValueError, LookupError, TypeError):
            return self._say(HTTPStatus.BAD_REQUEST)
        if word not in get_args(Word):
            return self._say(HTTPStatus.BAD_REQUEST)
        with self.server.lock:
            questions = self.server.questions
            if questions.current is None or number != questions.given:
                return self._say(HTTPStatus.CONFLICT)
            questions.give(word)
        return self._ask()

    def log_message(self, *words: object) -> None:
        """Nothing: answers are in the file."""

    def _ours(self) -> bool:
        own = f"{HOST}:{self.server.server_port}"
        return self.headers.get("Host") == own and self.headers.get("Origin") in (None, f"http://{own}")

    def _ask(self) -> None:
        questions = self.server.questions
        said: dict[str, Any] = {"number": questions.given, "of": len(questions.open)}
        if questions.current is not None:
            said |= {side: f"/clip/{questions.given}/{side}.svg" for side in ("left", "right")}
        self._say(HTTPStatus.OK, json.dumps(said).encode(), ".json")

    def _show(self, parts: list[str]) -> None:
        sides = ["left.svg", "right.svg"]
        here = len(parts) == 4 and parts[1] == "clip" and parts[3] in sides
        question = self.server.questions.shown(parts[2]) if here else None
        if question is None:
            return self._say(HTTPStatus.NOT_FOUND)
        picture = self.server.draw(question, sides.index(parts[3]))
        return self._say(HTTPStatus.OK, picture.encode(), ".svg")

    def _say(self, status: HTTPStatus, body: bytes = b"", kind: str = ".json") -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", KINDS[kind]),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
