"""Disks that are full or read-only, where this machine lets one have them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from drilling import Mount, grid
from kinds import write_cards

from metairl.experiments.fleet.jobs import jobs_of
from metairl.experiments.run import execute


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tasks that cost next to nothing."""
    write_cards(tmp_path / "shelf")
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path / "shelf"))
    return tmp_path / "shelf"


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one after the other, that nothing happened to."""
    root = tmp_path_factory.mktemp("alone")
    for job in jobs_of(grid(2), root):
        execute(job.request, job.path, [])
    return root


@pytest.fixture
def disk() -> Iterator[Mount]:
    """A memory disk with options, or with other ones where there is one already; gone after the test."""
    mounted: list[Path] = []

    def mount(place: Path, options: str) -> None:
        again = place in mounted
        place.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", "remount," * again + options, "none", str(place)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"mounting a disk is for root alone: {done.stderr.strip()}")
        if not again:
            mounted.append(place)

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
