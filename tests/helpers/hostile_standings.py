"""Standings whose every text tries to be more than text."""

from dataclasses import replace
from datetime import date

import numpy as np

from metairl.boards.standings import Curve, Made, Standing, Standings
from metairl.evaluation.statistics import Interval
from metairl.tasks.cards import BoardCard, Column

PWN = "window.pwned=1"
ATTACKS = (
    f"<script>{PWN}</script>",
    f'"><img src=x onerror={PWN}>',
    f"'><svg/onload={PWN}>",
    f"</title></style></script><script>{PWN}</script>",
    f"--><script>{PWN}</script>]]><script>{PWN}</script>",
    f"javascript:{PWN}",
    f"JaVaScRiPt\t:{PWN}//https://example.org",
    f"data:text/html,<script>{PWN}</script>",
    f'https://example.org/" onmouseover="{PWN}',
    f"https://example.org/<script>{PWN}</script>",
    "https://example.org@evil.example/",
    "https:\\\\evil.example",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    f"&lt;script&gt;{PWN}&lt;/script&gt;&#60;script&#62;",
    '=HYPERLINK("https://evil.example")',
    "\u202egro.elpmaxe\u202c $x_$ \x00\x1b[31m 名前 🤖",
    "a" * 400,
)


def everywhere(texts: tuple[str, ...] = ATTACKS) -> Standings:
    """A row a text, which stands in all of its fields; the first also stands in the board's own."""
    columns = [Column(name=f"{number}{texts[0]}", task=texts[0], skill=texts[0]) for number in range(2)]
    board = BoardCard(
        id="hostile",
        title=texts[0],
        rules="1.0",
        support=texts[0],
        metric="success",
        columns=columns,
        notes=texts[0],
    )
    return Standings(board, [_row(board, number, text) for number, text in enumerate(texts)])


def _row(board: BoardCard, number: int, text: str) -> Standing:
    sure = Interval(50.0, 40.0, 60.0, 3, 9)
    first = Made(text, text, 0, 10, {text: text}, text, text, text)
    second = replace(first, seed=1)
    return Standing(
        slug=f"row-{number}",
        name=text,
        family=text,
        encoder=text,
        support=text,
        authors=[text, text],
        description=text,
        url=text,
        paper=text,
        licence=text,
        date=date(2026, 1, 1),
        digest=text,
        tier="self",
        rank=(1, 17),
        aggregate=sure,
        cells={column.name: sure for column in board.columns},
        scores={column.name: np.array([40.0, 50.0, 60.0]) for column in board.columns},
        curves=[Curve(board.columns[0].name, np.array([0.0, 1.0]), np.array([0.0, 1.0]))],
        runs=[first, second],
    )
