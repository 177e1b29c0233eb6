"""Tests stand where their module stands: metairl/a/b.py is tested by tests/a/test_b.py."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "metairl"
ACROSS = ("contracts", "docs", "faults", "helpers")  # of the whole: registries, pages, injected faults
FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("file", [f for f in FILES if f.parts[0] not in ACROSS], ids=str)
def test_a_test_file_mirrors_a_module(file: Path) -> None:
    """test_b.py, or test_b_WHAT.py for a second file about b."""
    names = [path.stem for path in (PACKAGE / file.parent).glob("*.py")]
    tested = file.stem.removeprefix("test_")
    assert any(tested == name or tested.startswith(f"{name}_") for name in names)


def test_nothing_else_is_at_the_top() -> None:
    assert {path.name for path in TESTS.glob("*.py")} == {"conftest.py"}
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    for folder in TESTS.iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert folder.name in packages | set(ACROSS)
