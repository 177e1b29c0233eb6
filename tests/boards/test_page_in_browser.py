"""Boards' pages in a browser: hostile text, assistive technology, narrow windows, paper, a thousand rows."""

from itertools import takewhile
from pathlib import Path
from time import perf_counter

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Opens, press, shown, wider_than_the_window
from example_standings import many
from hostile_standings import ATTACKS, everywhere
from playwright.sync_api import Browser, CDPSession, Page

from metairl.boards import downloads, page
from metairl.boards.replacing import replace
from metairl.boards.standings import Standings

pytestmark = pytest.mark.browser
PAGES = ("index.html", "ml10/index.html", "mt50/index.html", "mazes/index.html", "ml10/rows/pearl.html")
CHOSEN = "ml10/index.html#sort=seeds&direction=ascending&row=row-maml"
SECONDS = 2.0  # that a thousand rows may take


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked") / "site"
    page.write([everywhere()], folder)
    return folder


def barriers(window: Page) -> list[str]:
    """What axe-core finds, however little it weighs."""
    found = Axe().run(window).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {node['html'][:120]}"
        for fault in found
        for node in fault["nodes"]
    ]


def thread_seconds(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def test_hostile_text_does_nothing_on_a_board(attacked: Path, opens: Opens) -> None:
    window = opens((attacked / "hostile" / "index.html").as_uri())
    for key in ("method", "encoder", "family", "support"):
        press(window, key)
    for text in ATTACKS:
        window.fill('input[name="words"]', text)
    window.click('button[type="reset"]')
    for number in range(len(ATTACKS)):
        window.select_option('select[name="family"]', index=1 + number)
        assert len(shown(window)) == 1
    window.click('button[type="reset"]')
    assert len(shown(window)) == len(ATTACKS)
    window.hover("#row-row-8 th a")
    assert window.evaluate("window.pwned") is None


def test_hostile_text_does_nothing_on_other_pages(attacked: Path, opens: Opens) -> None:
    window = opens((attacked / "index.html").as_uri())
    for number in range(len(ATTACKS)):
        assert window.evaluate("window.pwned") is None
        window.goto((attacked / "hostile" / "rows" / f"row-{number}.html").as_uri())
        assert window.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert window.evaluate("window.pwned") is None


@pytest.mark.parametrize(
    ("scheme", "paths"),
    [
        ("light", ("index.html", "mazes/index.html", "ml10/rows/pearl.html", CHOSEN)),
        ("dark", ("index.html", "ml10/rows/pearl.html", CHOSEN)),
    ],
    ids=["light", "dark"],
)
def test_axe_finds_nothing(scheme: str, paths: tuple[str, ...], home: str, opens: Opens) -> None:
    for path in paths:
        assert barriers(opens(f"{home}/{path}", color_scheme=scheme)) == [], path


@pytest.mark.parametrize("width", [320, 1280])
def test_no_window_scrolls_sideways(width: int, home: str, attacked: Path, opens: Opens) -> None:
    addresses = [f"{home}/{path}" for path in PAGES] if width == 320 else []
    addresses += [(attacked / path).as_uri() for path in ("index.html", "hostile/index.html")]
    addresses += [(attacked / "hostile" / "rows" / "row-16.html").as_uri()]  # a word of 400 letters
    for address in addresses:
        window = opens(address, viewport={"width": width, "height": 640})
        assert not wider_than_the_window(window), address


def test_downloads_are_the_source(standings: list[Standings], home: str, opens: Opens) -> None:
    window = opens(f"{home}/ml10/index.html")
    for wanted in downloads.of_board(standings[0]):
        with window.expect_download() as download:
            window.click(f'a[download]:text-is("{wanted.words}")')
        assert download.value.suggested_filename == wanted.file
        assert Path(download.value.path()).read_bytes() == wanted.content


def inks(window: Page) -> list[str]:
    """Of the figures that are seen."""
    seen = window.locator("figure img:visible").evaluate_all("all => all.map(image => image.src)")
    return [str(file).split(".")[-2] for file in seen]


def test_dark_pages_have_dark_figures_and_paper_has_none(home: str, opens: Opens) -> None:
    for scheme in ("light", "dark"):
        window = opens(f"{home}/ml10/index.html", color_scheme=scheme)
        assert inks(window) == [scheme] * 3
        assert window.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        window.emulate_media(media="print")
        assert inks(window) == ["light"] * 3


def test_motion_is_only_for_those_who_want_it(home: str, opens: Opens) -> None:
    for motion, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        window = opens(f"{home}/ml10/index.html", reduced_motion=motion)
        assert window.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == behaviour


def test_focus_is_seen_wherever_it_goes(home: str, opens: Opens) -> None:
    window = opens(f"{home}/ml10/index.html")
    stops = set()
    for _ in range(30):
        window.keyboard.press("Tab")
        stops.add(window.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
        assert window.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert len(stops) > 20


def test_paper_shows_every_row_and_no_controls(home: str, opens: Opens) -> None:
    window = opens(f"{home}/ml10/index.html", color_scheme="dark")
    window.emulate_media(media="print")
    assert not window.locator("form").is_visible()
    region = window.locator(".scroll.table")
    assert region.evaluate("element => getComputedStyle(element).overflow") == "visible"
    assert window.evaluate("getComputedStyle(document.documentElement).color") == "rgb(0, 0, 0)"
    window.set_viewport_size({"width": 1050, "height": 700})  # A4 on its side
    assert not wider_than_the_window(window)
    fifty = opens(f"{home}/mt50/index.html", viewport={"width": 1050, "height": 700})
    fifty.emulate_media(media="print")
    assert not wider_than_the_window(fifty)
    assert fifty.get_by_text("On paper the columns of tasks are left out").is_visible()


def test_a_thousand_rows_are_there_soon(tmp_path: Path, browser: Browser) -> None:
    """Held to the work of the page's own thread: by the clock, whatever else the machine does would count."""
    replace(
        tmp_path / "site", dict(takewhile(lambda file: "/rows/" not in file[0], page.files([many(1000)])))
    )
    window = browser.new_page()
    worked = window.context.new_cdp_session(window)
    worked.send("Performance.enable", {"timeDomain": "threadTicks"})
    clocks, loads = [], []
    for _ in range(2):
        window.goto("about:blank")
        before, began = thread_seconds(worked), perf_counter()
        window.goto((tmp_path / "site" / "ml10" / "index.html").as_uri())
        assert window.text_content("#count") == "1000 of 1000 rows shown"
        clocks.append(perf_counter() - began)
        loads.append(thread_seconds(worked) - before)
    before = thread_seconds(worked)
    press(window, "date")
    assert window.locator("tbody tr").first.is_visible()
    sorting = thread_seconds(worked) - before
    window.close()
    print(f"\n1,000 rows: {min(loads):.2f} s of work, {min(clocks):.2f} s by the clock")
    print(f"sorted by date: {sorting:.2f} s of work")
    assert min(loads) < SECONDS
