"""A submission as it lies there, a folder or a zip: names and bytes, read in place, nothing unpacked.

What it may hold is a list; everything else is refused by name. Sizes are bounded before anything is read, and
a zip's members are read no further than they were said to reach.
"""

import hashlib
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from metairl.boards.strict import printable
from metairl.core.errors import Refused

MEMBERS = 5_000
LARGEST = 64 * 2**20  # bytes of one file
TOTAL = 512 * 2**20
RATIO = 200  # of a member's size to what it takes in a zip
SHEET, SUMS = "submission.json", "SHA256SUMS"
RUN_FILES = r"(run\.json|records\.jsonl|checkpoint/[0-9]{12}\.(pt|json))"
ALLOWED = re.compile(rf"{SHEET}|{SUMS}|[A-Za-z0-9][A-Za-z0-9.:=,+_-]{{0,119}}/seed-[0-9]{{1,9}}/{RUN_FILES}")


@dataclass(frozen=True)
class Bundle:
    path: Path

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Every file in it and how long it is."""
        found: dict[str, int] = {}
        lowered: set[str] = set()
        for name, size in self._zipped() if self._is_zip else self._lying():
            if not ALLOWED.fullmatch(name):
                raise Refused(f"{self.path}: '{printable(name)}' is not a file that a submission has")
            if name.lower() in lowered:
                raise Refused(f"{self.path}: '{printable(name)}' stands there twice")
            if size > LARGEST:
                raise Refused(f"{self.path}: '{name}' is larger than {LARGEST:,} bytes")
            lowered.add(name.lower())
            found[name] = size
            if len(found) > MEMBERS or sum(found.values()) > TOTAL:
                raise Refused(f"{self.path}: more than {MEMBERS:,} files or {TOTAL:,} bytes")
        return dict(sorted(found.items()))

    def read(self, name: str) -> bytes:
        if name not in self.sizes:
            raise Refused(f"{self.path}: '{name}' is missing")
        if not self._is_zip:
            with (self.path / name).open("rb") as file:
                return self._whole(name, file.read(self.sizes[name] + 1))
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as member:
                return self._whole(name, member.read(self.sizes[name] + 1))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as fault:
            raise Refused(f"{self.path}: '{name}' cannot be read ({printable(str(fault))})") from None

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.read(name)).hexdigest()

    @property
    def digest(self) -> str:
        """Of everything in it: its sums name every other file."""
        return self.sha256(SUMS)

    @cached_property
    def runs(self) -> list[str]:
        """Folders of runs: TASK/seed-N."""
        return sorted({name.rsplit("/", 1)[0] for name in self.sizes if name.endswith("/run.json")})

    @property
    def _is_zip(self) -> bool:
        return self.path.is_file()

    def _whole(self, name: str, content: bytes) -> bytes:
        if len(content) != self.sizes[name]:
            raise Refused(f"{self.path}: '{name}' is not as long as was said")
        return content

    def _lying(self) -> Iterator[tuple[str, int]]:
        if not self.path.is_dir():
            raise Refused(f"{self.path}: no such folder or zip")
        for place in sorted(self.path.rglob("*")):
            name, about = place.relative_to(self.path).as_posix(), place.lstat()
            if stat.S_ISREG(about.st_mode):
                yield name, about.st_size
            elif not stat.S_ISDIR(about.st_mode):
                raise Refused(f"{self.path}: '{printable(name)}' is a link or a device, not a file")

    def _zipped(self) -> Iterator[tuple[str, int]]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as fault:
            raise Refused(f"{self.path}: not a zip ({printable(str(fault))})") from None
        for member in members:
            name, kind = member.filename, member.external_attr >> 16
            if stat.S_ISLNK(kind):
                raise Refused(f"{self.path}: '{printable(name)}' is a link, not a file")
            if member.file_size > RATIO * max(member.compress_size, 1):
                raise Refused(f"{self.path}: '{printable(name)}' unpacks to {member.file_size:,} bytes")
            if not member.is_dir():
                yield name, member.file_size
