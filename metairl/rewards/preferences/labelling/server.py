"""The HTTP server of the labelling page.

    GET  /                     the page, with page.js and page.css; no third-party content
    GET  /question             {"number", "of", "left", "right"}; without pictures once all are answered
    GET  /clip/NUMBER/SIDE.svg
    POST /answer               {"number", "answer"}: saved, then the next question; 409 if it is not the current one

It listens on 127.0.0.1 alone and checks the Host and Origin of every request, so that a foreign page open in
the same browser can neither read segments nor answer.
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
        if not self._is_local():
            return self._send(HTTPStatus.FORBIDDEN)
        if self.path in ASSETS:
            file = Path(__file__).parent / "assets" / ASSETS[self.path]
            return self._send(HTTPStatus.OK, file.read_bytes(), file.suffix)
        if self.path == "/question":
            return self._send_question()
        if self.path == "/favicon.ico":  # browsers ask for one
            return self._send(HTTPStatus.NO_CONTENT)
        return self._picture(self.path.split("/"))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        kind = self.headers.get("Content-Type", "")
        if not self._is_local() or self.path != "/answer" or kind != KINDS[".json"] or length > LONGEST:
            return self._send(HTTPStatus.FORBIDDEN)
        try:
            body = json.loads(self.rfile.read(length))
            number, word = body["number"], body["answer"]
        except (ValueError, LookupError, TypeError):
            return self._send(HTTPStatus.BAD_REQUEST)
        if word not in get_args(Word):
            return self._send(HTTPStatus.BAD_REQUEST)
        with self.server.lock:
            questions = self.server.questions
            if questions.current is None or number != questions.given:
                return self._send(HTTPStatus.CONFLICT)
            questions.give(word)
        return self._send_question()

    def log_message(self, *words: object) -> None:
        """Silent: answers are in the file."""

    def _is_local(self) -> bool:
        own = f"{HOST}:{self.server.server_port}"
        return self.headers.get("Host") == own and self.headers.get("Origin") in (None, f"http://{own}")

    def _send_question(self) -> None:
        questions = self.server.questions
        body: dict[str, Any] = {"number": questions.given, "of": len(questions.open)}
        if questions.current is not None:
            body |= {side: f"/clip/{questions.given}/{side}.svg" for side in ("left", "right")}
        self._send(HTTPStatus.OK, json.dumps(body).encode(), ".json")

    def _picture(self, parts: list[str]) -> None:
        sides = ["left.svg", "right.svg"]
        here = len(parts) == 4 and parts[1] == "clip" and parts[3] in sides
        question = self.server.questions.numbered(parts[2]) if here else None
        if question is None:
            return self._send(HTTPStatus.NOT_FOUND)
        picture = self.server.draw(question, sides.index(parts[3]))
        return self._send(HTTPStatus.OK, picture.encode(), ".svg")

    def _send(self, status: HTTPStatus, body: bytes = b"", kind: str = ".json") -> None:
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
