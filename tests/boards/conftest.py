"""A site of made-up boards, built once for all tests that only look at it, and a browser to look with."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browsing import Faults, Opens
from example_standings import bare, nobody, small, wide
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from metairl.boards import page
from metairl.boards.standings import Standings


@pytest.fixture(scope="session")
def standings() -> list[Standings]:
    return [small(), bare(wide()), nobody()]


@pytest.fixture(scope="session")
def site(standings: list[Standings], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boards") / "site"
    page.write(standings, folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed after a module: Playwright keeps an event loop running, and other tests start their own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path; `make browser` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def home(site: Path) -> Iterator[str]:
    """The site's address, served from this machine to this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def opens(browser: Browser) -> Iterator[Opens]:
    """Opens an address in a window of its own, and in the end asks that nothing went wrong in any."""
    contexts: list[BrowserContext] = []
    faults = Faults()

    def opened(address: str, **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        window = contexts[-1].new_page()
        faults.watch(window, home=address[: address.index("/", len("file:///"))])
        window.goto(address)
        return window

    yield opened
    for context in contexts:
        context.close()
    assert faults.said == []
