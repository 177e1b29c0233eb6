"""A folder that is replaced as a whole: written aside, then swapped, never mixed with what was there.

Only folders that carry our mark, or are empty, are replaced. A build that is killed leaves the old folder, or
between two renames none; the next one cleans up.
"""

import shutil
from pathlib import Path

from metairl.core.errors import UsageError
from metairl.core.records import writing

MARK = "metairl-board.txt"
MARKED = b"Written by metairl. The next build replaces this folder and everything in it.\n"


def replace(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold these files, by their paths below it, and nothing else."""
    folder = folder.resolve()  # of a link, what it points to
    aside, before = (folder.with_name(f".{folder.name}.{word}") for word in ("part", "before"))
    for path in (folder, aside, before):
        _require_ours(path)
    with writing(folder):
        _remove(aside)
        _fill(aside, {MARK: MARKED} | files)
        _remove(before)
        if folder.exists():
            folder.rename(before)
        aside.rename(folder)
        _remove(before)


def _require_ours(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise UsageError(f"{path}: is a file; name a folder for the page")
    if any(path.iterdir()) and not (path / MARK).is_file():
        raise UsageError(f"{path}: holds files that metairl did not write; name an empty or a new folder")


def _fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
