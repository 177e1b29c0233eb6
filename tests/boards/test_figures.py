"""Figures say what the standings say, are XML whatever a name holds, and are the same file every time."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from example_standings import many, nobody, row_of, small, wide
from hostile_standings import everywhere

from metairl.boards import figures
from metairl.boards.standings import Standings


def texts(svg: bytes) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_board_has_three_figures_with_words_for_each() -> None:
    drawn = figures.of_board(small())
    assert [figure.name for figure in drawn] == ["aggregates", "profiles", "curves"]
    aggregate = next(row.aggregate for row in small().rows if row.slug == "pearl")
    assert aggregate
    numbers = f"PEARL {aggregate.value:.1f} ({aggregate.low:.1f} to {aggregate.high:.1f})"
    assert numbers in drawn[0].words
    assert "PEARL" in drawn[1].words and "PEARL" in drawn[2].words


def test_nothing_is_drawn_of_nothing() -> None:
    assert figures.of_board(nobody()) == []


def test_profiles_by_hand() -> None:
    row = replace(small().rows[0], scores={"a": np.array([0.2, 0.6]), "b": np.array([0.4, 0.4, 0.8, 1.0])})
    shares = figures._shares(row, np.array([0.0, 0.5, 0.8, 1.1]))
    assert shares.tolist() == [1.0, 0.5, 0.25, 0.0]  # a column counts the same however many seeds it has


def test_a_score_that_is_no_number_is_above_nothing() -> None:
    row = replace(small().rows[0], scores={"a": np.array([np.nan, 0.6])})
    assert figures._shares(row, np.array([-1.0, 0.5])).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("standings", [small(), everywhere()], ids=["small", "hostile"])
def test_the_same_standings_are_the_same_bytes(standings: Standings) -> None:
    assert figures.of_board(standings) == figures.of_board(standings)


def test_names_are_text_whatever_they_hold() -> None:
    for figure in figures.of_board(everywhere()):
        for svg in (figure.light, figure.dark):
            tags = {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(svg).iter()}
            assert tags.isdisjoint({"script", "img", "a", "foreignObject", "image"})
    bars = texts(figures.of_board(everywhere())[0].light)
    assert any(bar.startswith("<script>window.pwned") for bar in bars)
    assert any("$x_$" in text for text in bars)


def test_dark_ink_is_other_ink_and_nothing_else() -> None:
    for figure in figures.of_board(small()):
        light, dark = figure.light.decode(), figure.dark.decode()
        assert len(light) == len(dark)
        assert light != dark
        assert not any(pair[0] in dark for pair in (figures.INK, figures.FAINT, *figures.LINES))
        assert texts(figure.light) == texts(figure.dark)


def test_what_is_left_out_is_said() -> None:
    titles = [figure.title for figure in figures.of_board(many(40))]
    assert titles == [
        "Aggregate of all columns, first 30 of 40 rows",
        "Performance profiles, first 8 of 40 rows",
    ]
    board = wide().board
    row = row_of(board, 0)
    drawn = figures.curves([row])
    assert drawn and drawn.title == "Validation score while learning, first 12 of 50 columns"
