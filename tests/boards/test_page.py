"""Pages as text: what they hold, what they never hold, and that they are the same bytes every time."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from example_standings import bare, nobody, small
from hostile_standings import ATTACKS, everywhere

from metairl.boards import page
from metairl.boards.standings import Standings
from metairl.core.errors import UsageError
from metairl.tasks import catalogue

Tag = tuple[str, dict[str, str]]


class Outline(HTMLParser):
    """The elements of a page, in order, and all of its text."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.text = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def pages(standings: Standings) -> dict[str, Outline]:
    built = page.files([standings])
    return {path: Outline(content) for path, content in built if path.endswith(".html")}


def board_page(standings: Standings) -> Outline:
    return pages(standings)[f"{standings.board.id}/index.html"]


@pytest.fixture(scope="module")
def attacked() -> dict[str, Outline]:
    return pages(everywhere())


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    standings = [small(), nobody()]
    page.write(standings, tmp_path / "one")
    page.write(standings, tmp_path / "two")
    one, two = (
        {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert len(one) > 60


def test_builds_of_other_processes_are_the_same_bytes() -> None:
    """The order of sets differs between processes."""
    code = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from example_standings import bare, small
from metairl.boards import page
print({path: hashlib.sha256(content).hexdigest() for path, content in page.files([bare(small())])})
"""
    words = [sys.executable, "-c", code, str(Path(__file__).parents[1] / "helpers")]
    said = {
        subprocess.run(
            words, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_hostile_text_changes_no_element(attacked: dict[str, Outline]) -> None:
    """A page of attacks has the elements and attributes of the same page with harmless words."""
    harmless = everywhere(tuple(f"word {number}" for number in range(len(ATTACKS))))
    for path, outline in pages(harmless).items():
        assert [(tag, list(names)) for tag, names in attacked[path].tags] == [
            (tag, list(names)) for tag, names in outline.tags
        ]


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_hostile_text_is_shown_as_it_is(number: int, attacked: dict[str, Outline]) -> None:
    outline = attacked[f"hostile/rows/row-{number}.html"]
    assert outline.text.count(ATTACKS[number]) > 10


def test_pages_have_a_policy_and_keep_it(attacked: dict[str, Outline]) -> None:
    for outline in [*pages(bare(small())).values(), *pages(nobody()).values(), *attacked.values()]:
        policies = [meta["content"] for meta in outline.all("meta") if "http-equiv" in meta]
        assert len(policies) == 1
        assert policies[0].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policies[0]
        assert all(set(script) == {"src", "defer"} for script in outline.all("script"))
        assert not outline.all("style")
        for _, attributes in outline.tags:
            assert not any(name == "style" or name.startswith("on") for name in attributes)


def test_pages_ask_for_nothing_outside_and_link_only_to_https(site: Path) -> None:
    for path in site.rglob("*.html"):
        outline = Outline(path.read_bytes())
        for tag, attributes in outline.tags:
            for name in ("src", "href"):
                address = attributes.get(name, "").partition("#")[0].replace("%2B", "+")
                outside = address.startswith("https://example.org/") and tag == "a"
                assert outside or (path.parent / address).exists(), f"{path}: {tag} {name}={address}"


def test_addresses_that_are_not_https_are_text() -> None:
    standings = bare(small())
    row = replace(standings.rows[0], url="javascript:alert(1)", paper="http://example.org/paper")
    outlines = pages(replace(standings, rows=[row]))
    for outline in (outlines["ml10/index.html"], outlines[f"ml10/rows/{row.slug}.html"]):
        assert "javascript:alert(1)" in outline.text
        assert not any(":" in link["href"] for link in outline.all("a"))


def test_one_table_holds_every_row(standings: list[Standings], site: Path) -> None:
    for board in standings:
        outline = Outline((site / board.board.id / "index.html").read_bytes())
        tables = [table for table in outline.all("table") if table["class"].split()[0] == "board"]
        assert len(tables) == 1
        assert len(outline.all("caption")) == 1
        rows = [row["id"] for row in outline.all("tr") if "id" in row]
        assert rows == [f"row-{row.slug}" for row in board.rows]


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(site: Path) -> None:
    """Chromium lets one scroll anything; other browsers do not."""
    for path in ("ml10/index.html", "mt50/index.html", "ml10/rows/pearl.html"):
        outline = Outline((site / path).read_bytes())
        names = {attributes["id"] for _, attributes in outline.tags if "id" in attributes}
        regions = [div for div in outline.all("div") if "scroll" in div.get("class", "")] + outline.all("pre")
        assert len(regions) >= 2
        for region in regions:
            assert (region["role"], region["tabindex"]) == ("region", "0")
            assert region.get("aria-label") or region["aria-labelledby"] in names


def test_every_row_is_as_wide_as_the_heading(site: Path) -> None:
    for name, columns in (("ml10", 5), ("mt50", 50)):
        text = (site / name / "index.html").read_text()
        table = text[text.index('<table class="board') : text.index("</table>")]
        for row in table.split("<tr")[1:]:
            assert len(re.findall("<t[hd][ >]", row)) == 12 + columns
        assert table.count('scope="row"') == 12
        assert table.count('scope="col"') == 12 + columns


def test_a_row_is_shown_with_its_numbers() -> None:
    standings = small()
    text = dict(page.files([bare(standings)]))["ml10/index.html"].decode()
    row = next(row for row in standings.rows if row.slug == "pearl")
    shown = text[text.index('id="row-pearl"') :].partition("</tr>")[0]
    assert row.rank and row.aggregate
    assert f">{row.rank[0]}–{row.rank[1]}<" in shown
    assert (
        f"{row.aggregate.value:.1f}<small>{row.aggregate.low:.1f} to {row.aggregate.high:.1f}</small>"
        in shown
    )
    for column in standings.board.columns:
        cell = row.cells[column.name]
        assert cell and f'data-value="{cell.value!r}">{cell.value:.1f}<small>' in shown
    for word in (
        "5,000,000",
        "checked",
        "meta-RL",
        row.date.isoformat(),
        "1.0",
        'href="https://example.org/code/pearl"',
    ):
        assert word in shown


def test_few_seeds_are_marked_and_fewer_have_no_interval() -> None:
    text = dict(page.files([bare(small())]))["ml10/index.html"].decode()
    rows = {
        slug: text[text.index(f'id="row-{slug}"') :].partition("</tr>")[0]
        for slug in ("pearl", "snail", "iq-learn")
    }
    assert ["fewer than 5 seeds" in shown for shown in rows.values()] == [False, True, True]  # 5, 4 and 2
    assert ["<small>" in shown for shown in rows.values()] == [True, True, False]


def test_a_row_has_as_many_seeds_as_its_poorest_column() -> None:
    standings = bare(small())
    row, column = standings.rows[0], standings.board.columns[1].name
    cell = row.cells[column]
    assert cell and page.seeds(row) == 10
    assert page.seeds(replace(row, cells=row.cells | {column: replace(cell, seeds=4)})) == 4
    assert page.seeds(replace(row, cells=dict.fromkeys(row.cells))) is None


def test_filters_offer_what_there_is_once_and_in_order() -> None:
    options = [option["value"] for option in board_page(bare(small())).all("option")]
    supports, families = ["demos", "none", "trial"], ["imitation", "meta-RL", "multi-task", "scripted"]
    assert options == ["", *supports, "", "self", "checked", "rerun", "", *families]


def test_a_row_with_an_empty_column_has_no_rank_and_comes_last() -> None:
    text = dict(page.files([bare(small())]))["ml10/index.html"].decode()
    last = text.rpartition('id="row-')[2].partition("</tr>")[0]
    assert last.startswith("gail")
    assert '<td class="rank"></td>' in last
    assert last.count('<span class="none">–</span>') == 3  # two columns and the aggregate


def test_a_row_has_a_page_that_says_where_it_comes_from() -> None:
    standings = small()
    row = next(row for row in standings.rows if row.slug == "bc-demos+pearl")
    outline = pages(replace(standings, rows=[row]))["ml10/rows/bc-demos+pearl.html"]
    said = [*row.authors, row.licence, row.description, row.digest, "imitation"]
    for run in row.runs:
        said += [run.command, run.commit, run.hardware, run.path, f"seed {run.seed}", "torch 2.13.0"]
    for words in said:
        assert words in outline.text
    assert ["Cloning" in image["alt"] for image in outline.all("img")] == [
        True,
        True,
    ]  # in light and in dark ink


def test_an_empty_board_says_so() -> None:
    outline = board_page(nobody())
    assert "Nothing has been submitted to this board yet." in outline.text
    assert not outline.all("img")


def test_every_board_of_the_project_can_be_built(tmp_path: Path) -> None:
    boards = catalogue.boards()
    page.write([Standings(board, []) for board in boards.values()], tmp_path / "site")
    assert {path.parent.name for path in (tmp_path / "site").glob("*/index.html")} == set(boards)


@pytest.mark.parametrize(
    "slug", ["../../x", "", ".git", "a/b", "UPPER", "a b", "<b>", "a--b", "x" * 101, "ñ"]
)
def test_a_slug_that_cannot_be_a_file_is_refused(slug: str) -> None:
    standings = small()
    with pytest.raises(UsageError, match="row of board 'ml10'"):
        dict(page.files([replace(standings, rows=[replace(standings.rows[0], slug=slug)])]))


def test_two_rows_of_one_slug_are_refused() -> None:
    standings = small()
    with pytest.raises(UsageError, match="two are named 'scripted'"):
        dict(page.files([replace(standings, rows=standings.rows[:1] * 2)]))


@pytest.mark.parametrize("package", ["jinja2", "pyarrow"])
def test_a_missing_package_is_one_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'metairl\[board\]'"):
        dict(page.files([nobody()]))
