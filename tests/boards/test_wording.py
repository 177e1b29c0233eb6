"""Numbers, places, intervals and links as people read them."""

from math import inf, nan

import pytest

from metairl.boards import wording
from metairl.evaluation.statistics import Interval


@pytest.mark.parametrize(
    ("rank", "said"), [((1, 1), "1"), ((1, 3), "1–3"), ((10, 12), "10–12"), (None, "")], ids=str
)
def test_places(rank: tuple[int, int] | None, said: str) -> None:
    assert wording.places(rank) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(12.349, "12.3"), (-0.5, "\N{MINUS SIGN}0.5"), (100.0, "100.0"), (-0.04, "0.0"), (nan, "not a number")],
)
def test_decimal(value: float, said: str) -> None:
    assert wording.decimal(value) == said


def test_an_interval_is_only_shown_where_seeds_say_it() -> None:
    assert wording.bounds(Interval(50.0, 40.0, 60.0, 3, 9), 3) == "40.0 to 60.0"
    assert wording.bounds(Interval(50.0, 40.0, 60.0, 2, 9), 3) is None
    assert wording.bounds(Interval(50.0, nan, nan, 9, 9), 3) is None
    assert wording.with_bounds(Interval(50.0, 40.0, 60.0, 3, 9), 3) == "50.0 (40.0 to 60.0)"
    assert wording.with_bounds(Interval(50.0, nan, nan, 1, 9), 3) == "50.0"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (-9.0, "heat-0"),
        (16.6, "heat-0"),
        (16.7, "heat-1"),
        (99.0, "heat-5"),
        (100.0, "heat-5"),
        (700.0, "heat-5"),
    ],
)
def test_tints_go_from_nothing_to_as_good_as_it_gets(value: float, name: str) -> None:
    assert wording.tint(value) == name


def test_what_is_no_number_has_no_tint_and_no_key() -> None:
    assert wording.tint(nan) == ""
    assert [wording.sort_key(value) for value in (nan, inf, None)] == [None] * 3
    assert float(wording.sort_key(0.1 + 0.2) or "") == 0.1 + 0.2


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org",
        "https://example.org/",
        "https://sub.example.org:8443/a/b?c=d&e=f#g",
        "https://xn--bcher-kva.example/x",
    ],
)
def test_links_are_https(address: str) -> None:
    assert wording.link(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Duan et al. 2016",
        "http://example.org",
        "//example.org",
        "ftp://example.org",
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        " https://example.org",
        "https://example.org\n",
        "https://example.org/a b",
        "https://user@example.org/",
        "https://example.org:x@evil.example/",
        "https:\\\\example.org",
        "https://example.org\\@evil.example",
        "https://bücher.example/",
        'https://example.org/" onclick="x',
        "https://example.org/<script>",
        None,
    ],
)
def test_anything_else_is_text(text: str | None) -> None:
    assert wording.link(text) is None


def test_labels_are_short_and_printable() -> None:
    assert wording.label("PEARL", 8) == "PEARL"
    assert wording.label("a name that goes on", 8) == "a name…"
    assert wording.label("a\x00b\x1b\nc", 8) == "a\ufffdb\ufffd\ufffdc"


def test_one_row_is_not_rows() -> None:
    assert [wording.several(number, "row") for number in (0, 1, 1000)] == ["0 rows", "1 row", "1,000 rows"]
