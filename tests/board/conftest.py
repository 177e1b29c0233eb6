"""A site of made-up boards, built once for all tests that only look at it."""

from pathlib import Path

import pytest
from example_standings import bare, nobody, small, wide

from metairl.board import page
from metairl.board.standings import Standings


@pytest.fixture(scope="session")
def standings() -> list[Standings]:
    return [small(), bare(wide()), nobody()]


@pytest.fixture(scope="session")
def site(standings: list[Standings], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boards") / "site"
    page.write(standings, folder)
    return folder
