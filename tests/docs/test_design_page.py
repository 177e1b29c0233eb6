"""The design page names files that exist, and counts them right."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
PACKAGES = "core|tasks|envs|agents|rewards|data|training|methods|evaluation|experiments|boards|cli"
FILE = re.compile(rf"(?<![\w/.])((?:metairl/)?(?:{PACKAGES})/[\w/]+\.py)")
LISTS = re.findall(r"^\| ([\w-]+) \((\d+)\) \| (`.+`) \|$", PAGE, re.MULTILINE)


def test_four_methods_are_listed() -> None:
    assert [name for name, _, _ in LISTS] == ["PEARL", "GAIL", "IQ-Learn", "CLARE"]


@pytest.mark.parametrize("name, count, files", LISTS)
def test_files_to_read(name: str, count: str, files: str) -> None:
    paths = re.findall(r"`([\w/]+\.py)`", files)
    assert len(set(paths)) == int(count)
    assert [path for path in paths if not (ROOT / "metairl" / path).is_file()] == []


@pytest.mark.parametrize("page", ["docs/design.md", "CONTRIBUTING.md"])
def test_every_file_of_the_package_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {path.removeprefix("metairl/") for path in FILE.findall(text)}
    assert named
    named -= {"envs/NAME.py"}  # of a reader's own
    assert sorted(path for path in named if not (ROOT / "metairl" / path).is_file()) == []
