"""Killed at any moment and started again, a run of every kind of method ends as the uninterrupted one does.

A small sample in the default suite; `make drill` kills all kinds, 200 times in all, and prints a table.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from drilling import Tally, drill
from kinds import KINDS

from metairl.methods.method import Method
from metairl.methods.registry import METHODS, find

KILLS = 200
SAMPLE = ("on-policy", "off-policy, inferring", "offline, alone", "adversarial")


@pytest.fixture
def data(request: pytest.FixtureRequest, shelf: Path) -> None:
    """Small tasks, and logs of such where a kind reads any."""
    if "data=" in KINDS[request.node.callspec.params["kind"]]:
        request.getfixturevalue("logged")


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, Tally]]:
    """Printed when all kinds are through."""
    rows: dict[str, Tally] = {}
    yield rows
    heads = ("kills", "asked", "runs", "resumed", "lost", "doubled", "unlike")
    width = max(map(len, rows), default=0)
    print("\n" + "kind".ljust(width), *(head.rjust(8) for head in heads))
    every = {**rows, "all": Tally(*(sum(getattr(row, head) for row in rows.values()) for head in heads))}
    for kind, row in every.items():
        print(kind.ljust(width), *(str(getattr(row, head)).rjust(8) for head in heads))


def test_every_recipe_and_every_support_is_drilled() -> None:
    drilled = {kind_of(of_words(words)) for words in KINDS.values()}
    for method in METHODS.values():
        for regime in method.regimes:
            own = method.under(regime)
            alone = own.adapt and not own.pretrains
            assert kind_of(own) in drilled or alone or own.recipe is None, f"{own.label} is not drilled"


def of_words(words: str) -> Method:
    name, *rest = words.split()
    return find(name, rest[rest.index("--regime") + 1] if "--regime" in rest else None)


def kind_of(method: Method) -> tuple[object, ...]:
    return method.recipe and method.recipe.cls, method.support, bool(method.adapt)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("kind", SAMPLE)
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(kind: str, tmp_path: Path) -> None:
    tally = drill(KINDS[kind], tmp_path, kills=2, chance=Random(kind))
    assert tally.kills == 2 and tally.sound, tally


@pytest.mark.slow
@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_killed_many_times(kind: str, tmp_path: Path, table: dict[str, Tally]) -> None:
    tally = drill(KINDS[kind], tmp_path, kills=-(-KILLS // len(KINDS)), chance=Random(kind))
    table[kind] = tally
    assert tally.sound, tally
