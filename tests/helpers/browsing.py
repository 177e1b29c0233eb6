"""A board's page as a person meets it in a browser: what is shown, in which order, and what goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page, Request

Opens = Callable[..., Page]


@dataclass
class Faults:
    """What a page must never do: complain, ask, fail, or reach outside."""

    said: list[str] = field(default_factory=list)

    def watch(self, page: Page, home: str) -> None:
        page.on("console", lambda message: self.said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("requestfailed", self._failed)
        page.on("request", lambda request: self._stays(request.url, home))

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before its icon had come
            self.said.append(f"failed: {request.url}")

    def _stays(self, url: str, home: str) -> None:
        if not url.startswith((home, "about:")):
            self.said.append(f"left: {url}")


def shown(page: Page) -> list[str]:
    """Slugs of the rows that are seen, from top to bottom."""
    rows: list[str] = page.eval_on_selector_all(
        "table.board tbody tr", "rows => rows.filter(row => row.offsetParent !== null).map(row => row.id)"
    )
    return [row.removeprefix("row-") for row in rows]


def press(page: Page, key: str) -> None:
    """The heading of a column, pressed: sorts by it, or turns the order around."""
    page.locator(f'table.board thead th[data-key="{key}"] button').click()


def direction(page: Page, key: str) -> str | None:
    return page.get_attribute(f'table.board thead th[data-key="{key}"]', "aria-sort")


def until(page: Page, expression: str) -> None:
    """Waits for an expression to hold. Playwright's own way needs eval, which the page's policy forbids."""
    for _ in range(1000):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(30)
    raise AssertionError(f"never: {expression}")


def wider_than_the_window(page: Page) -> bool:
    too_wide: bool = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return too_wide
