"""A built folder is whole, ours alone is replaced, and nothing of the build before stays."""

from pathlib import Path

import pytest

from metairl.boards.replacing import MARK, replace
from metairl.core.errors import StorageError, UsageError

FILES = {"index.html": b"one", "deep/er/file.svg": b"two"}


def held(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != MARK)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("there", [True, False])
def test_a_new_or_empty_folder_is_filled(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "site"
    if there:
        folder.mkdir()
    replace(folder, FILES)
    assert held(folder) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_what_was_built_before_goes(tmp_path: Path) -> None:
    replace(tmp_path / "site", FILES)
    replace(tmp_path / "site", {"index.html": b"three"})
    assert held(tmp_path / "site") == {"index.html": b"three"}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_of_others_is_refused_by_name_and_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years")
    with pytest.raises(UsageError, match="thesis: holds files that metairl did not write"):
        replace(tmp_path / "thesis", FILES)
    assert held(tmp_path / "thesis") == {"chapter.tex": b"years"}


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file")
    with pytest.raises(UsageError, match="site: is a file"):
        replace(tmp_path / "site", FILES)


def test_a_build_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    replace(tmp_path / "site", FILES)
    with pytest.raises(StorageError, match="site: cannot write"):
        replace(tmp_path / "site", {"begun.html": b"", "index.html": b"", "index.html/under-a-file": b""})
    assert held(tmp_path / "site") == FILES
    replace(tmp_path / "site", {"index.html": b"new"})
    assert held(tmp_path / "site") == {"index.html": b"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("renames", [1, 2])
def test_a_build_that_was_killed_while_swapping_is_cleaned_up(tmp_path: Path, renames: int) -> None:
    replace(tmp_path / "site", {"old.html": b""})
    (tmp_path / "site").rename(tmp_path / ".site.before")
    if renames == 2:
        replace(tmp_path / "new", FILES)
        (tmp_path / "new").rename(tmp_path / "site")
    replace(tmp_path / "site", FILES)
    assert held(tmp_path / "site") == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_of_a_link_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    replace(tmp_path / "real", FILES)
    (tmp_path / "link").symlink_to("real")
    replace(tmp_path / "link", {"index.html": b"new"})
    assert (tmp_path / "link").is_symlink()
    assert held(tmp_path / "real") == {"index.html": b"new"}
