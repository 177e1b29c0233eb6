"""Killed at any moment and started again, a run of every kind of method ends as the uninterrupted one does.

A small sample in the default suite; `make drill` kills all kinds, 200 times in all, and prints a table.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from drilling import Tally, drill
from kinds import KINDS

from metairl.methods.registry import METHODS

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
    drilled = [METHODS[words.split()[0]] for words in KINDS.values()]
    for name, method in METHODS.items():
        own = method.recipe and method.recipe[0], method.support, bool(method.adapts)
        others = [(m.recipe and m.recipe[0], m.support, bool(m.adapts)) for m in drilled]
        alone = method.adapts and not method.pretrains
        assert own in others or alone or method.recipe is None, f"{name} is of a kind that is not drilled"


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
