"""A board's table in a browser: sorting, filters, addresses that remember, and all of it without scripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import Opens, direction, press, shown, until

from metairl.boards import wording
from metairl.boards.page import seeds, steps
from metairl.boards.standings import Standing, Standings

pytestmark = pytest.mark.browser
Key = Callable[[Standing], Any]
BOARD = "/ml10/index.html"


def lower(text: str | None) -> str | None:
    return text.lower() if text else None


def value_in(column: str) -> Key:
    return lambda row: cell.value if (cell := row.cells[column]) else None


def keys(standings: Standings) -> dict[str, Key]:
    """What every column is sorted by."""
    return {
        "rank": lambda row: row.rank[0] if row.rank else None,
        "method": lambda row: lower(row.name),
        "encoder": lambda row: lower(row.encoder),
        "aggregate": lambda row: row.aggregate.value if row.aggregate else None,
        **{f"column {column.name}": value_in(column.name) for column in standings.board.columns},
        "seeds": seeds,
        "steps": steps,
        "support": lambda row: lower(row.support),
        "family": lambda row: lower(row.family),
        "tier": lambda row: list(wording.TIERS).index(row.tier),
        "date": lambda row: row.date.isoformat(),
        "rules": lambda row: standings.board.rules,
    }


def by_hand(rows: list[Standing], key: Key, way: str | None) -> list[str]:
    """Python's sort; what has no value comes last both ways."""
    known = [row for row in rows if key(row) is not None]
    missing = [row for row in rows if key(row) is None]
    return [row.slug for row in sorted(known, key=key, reverse=way == "descending") + missing]


def test_every_column_sorts_as_python_does_both_ways(
    standings: list[Standings], home: str, opens: Opens
) -> None:
    board = standings[0]
    page = opens(home + BOARD)
    heads = page.eval_on_selector_all(
        "table.board thead th[data-key]", "all => all.map(th => th.dataset.key)"
    )
    assert heads == list(keys(board))
    assert shown(page) == [row.slug for row in board.rows]
    assert page.locator("[aria-sort]").count() == 0
    for name, key in keys(board).items():
        ways = set()
        for _ in range(2):
            press(page, name)
            ways.add(way := direction(page, name))
            assert shown(page) == by_hand(board.rows, key, way), f"{name}, {way}"
        assert ways == {"ascending", "descending"}
        assert page.locator("[aria-sort]").count() == 1


def test_sorting_by_keyboard(standings: list[Standings], home: str, opens: Opens) -> None:
    page = opens(home + BOARD)
    head = page.locator('th[data-key="seeds"] button')
    head.focus()
    page.keyboard.press("Enter")
    assert shown(page) == by_hand(standings[0].rows, seeds, "descending")
    page.keyboard.press("Space")
    assert shown(page) == by_hand(standings[0].rows, seeds, "ascending")
    assert head.evaluate("button => button === document.activeElement")


CHOICES: tuple[tuple[dict[str, str], Callable[[Standing], bool]], ...] = (
    ({"support": "demos"}, lambda row: row.support == "demos"),
    ({"tier": "rerun"}, lambda row: row.tier == "rerun"),
    ({"family": "meta-RL"}, lambda row: row.family == "meta-RL"),
    ({"family": "meta-RL", "tier": "self"}, lambda row: row.family == "meta-RL" and row.tier == "self"),
    ({"family": "scripted", "support": "demos"}, lambda row: False),
)


def test_filters_leave_the_rows_that_were_asked_for(
    standings: list[Standings], home: str, opens: Opens
) -> None:
    page = opens(home + BOARD)
    for choices, passes in CHOICES:
        page.click('button[type="reset"]')
        for name, value in choices.items():
            page.select_option(f'select[name="{name}"]', value)
        wanted = [row.slug for row in standings[0].rows if passes(row)]
        assert shown(page) == wanted
        assert page.text_content("#count") == f"{len(wanted)} of 12 rows shown"


FOUND = (
    ("PEARL", {"pearl", "bc-demos+pearl"}),  # of a method, of an encoder
    ("rl² gru", {"rl2"}),
    ("maml first", {"fomaml"}),
    ("ÆRØ multi-task", {"sac-heads"}),  # of an author, of a family
    ("nothing has this name", set()),
)


def test_words_are_found_in_names_encoders_families_and_authors(home: str, opens: Opens) -> None:
    page = opens(home + BOARD)
    for words, slugs in FOUND:
        page.fill('input[name="words"]', words)
        assert set(shown(page)) == slugs


def test_reset_shows_everything_again(standings: list[Standings], home: str, opens: Opens) -> None:
    page = opens(home + BOARD)
    page.fill('input[name="words"]', "pearl")
    page.uncheck('input[name="columns"]')
    press(page, "date")
    page.click('button[type="reset"]')
    assert shown(page) == [row.slug for row in standings[0].rows]
    assert page.input_value('input[name="words"]') == ""
    assert page.url == home + BOARD


def test_an_address_remembers_what_was_chosen(home: str, opens: Opens) -> None:
    page = opens(home + BOARD)
    press(page, "column door-close")
    press(page, "column door-close")
    page.select_option('select[name="family"]', "meta-RL")
    page.fill('input[name="words"]', "ø l")
    page.uncheck('input[name="columns"]')
    page.click("#row-maml a.anchor")
    again = opens(page.url)
    assert len(shown(page)) == 5
    assert shown(again) == shown(page)
    assert direction(again, "column door-close") == "ascending"
    assert again.input_value('select[name="family"]') == "meta-RL"
    assert again.input_value('input[name="words"]') == "ø l"
    assert not again.is_checked('input[name="columns"]')
    assert again.locator("tr.linked").get_attribute("id") == "row-maml"


def test_an_address_of_a_row_shows_it(home: str, opens: Opens) -> None:
    for hash in ("#row-bc-demos+pearl", "#row=row-bc-demos%2Bpearl&sort=date&direction=descending"):
        page = opens(home + BOARD + hash, viewport={"width": 800, "height": 300})
        linked = page.locator("tr.linked")
        assert linked.get_attribute("id") == "row-bc-demos+pearl"
        until(page, "document.querySelector('tr.linked').getBoundingClientRect().top < innerHeight")
        assert page.evaluate("document.querySelector('tr.linked').getBoundingClientRect().bottom") > 0


NONSENSE = (
    "#sort=nonsense&tier=gold",
    "#%",
    "#=&==",
    "#row-<b>",
    "#sort=<img src=x>",
    "#sort=constructor",
    "#row=",
)


def test_an_address_of_nonsense_is_the_board_as_it_is(
    standings: list[Standings], home: str, opens: Opens
) -> None:
    page = opens(home + BOARD)
    for hash in NONSENSE:
        page.goto("about:blank")
        page.goto(home + BOARD + hash)
        assert shown(page) == [row.slug for row in standings[0].rows]


def test_going_back_and_to_places_on_the_page_keeps_what_was_chosen(home: str, opens: Opens) -> None:
    page = opens(home + BOARD + "#sort=date&direction=descending")
    before = shown(page)
    page.evaluate("location.hash = '#main'")
    page.wait_for_timeout(50)  # the event comes later
    assert shown(page) == before
    page.evaluate("location.hash = '#sort=date&direction=ascending'")
    until(page, "document.querySelector('[aria-sort]').getAttribute('aria-sort') === 'ascending'")
    assert shown(page) != before


def test_fifty_columns_scroll_beside_the_names(home: str, opens: Opens) -> None:
    page = opens(home + "/mt50/index.html", viewport={"width": 900, "height": 700})
    region = page.locator(".scroll.table")
    region.focus()
    assert region.evaluate("element => element === document.activeElement")
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.scroll.table').scrollLeft > 200")
    region.evaluate("element => { element.scrollLeft = 4000; }")
    left = region.bounding_box()
    for cell in ("#row-pearl th", 'thead th[data-key="method"]'):
        found = page.locator(cell).bounding_box()
        assert found and left and abs(found["x"] - left["x"]) < 3
    page.uncheck('input[name="columns"]')
    assert page.locator("#row-pearl td.score:visible").count() == 0
    assert page.locator("#row-pearl td.aggregate:visible").count() == 1


def test_without_scripts_every_row_is_there_and_nothing_to_press(
    standings: list[Standings], home: str, opens: Opens
) -> None:
    page = opens(home + BOARD, java_script_enabled=False)
    rows = page.locator("table.board tbody tr")
    assert rows.count() == 12
    assert all(row.is_visible() for row in rows.all())
    assert page.locator("form:visible").count() == page.locator("button:visible").count() == 0
    names = [row.name for row in standings[0].rows]
    assert page.locator("table.board tbody th bdi").all_text_contents() == names


def test_from_disk_it_sorts_filters_and_remembers(
    standings: list[Standings], site: Path, opens: Opens
) -> None:
    page = opens((site / "ml10" / "index.html").as_uri())
    press(page, "date")
    page.select_option('select[name="tier"]', "checked")
    rows = [row for row in standings[0].rows if row.tier == "checked"]
    wanted = by_hand(rows, lambda row: row.date.isoformat(), "descending")
    assert shown(page) == wanted
    assert shown(opens(page.url)) == wanted
    assert page.locator("img").evaluate_all("all => all.every(image => image.naturalWidth > 0)")
