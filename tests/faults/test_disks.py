"""A grid whose disk fails it: what can be made is made, what cannot is named; later the same words go on."""

from pathlib import Path

import pytest
from drilling import Mount, completed, grid, lines, started, until

from metairl.cli.main import main
from metairl.core.errors import DamagedFile
from metairl.core.records import RunFolder
from metairl.experiments.fleet.jobs import jobs_of
from metairl.experiments.fleet.making import Manner, make

WORDS = "rl2 drill-bandit --steps 5000 --recipe.trials 16"
SMALL = "size=120k"  # enough for records, not for a checkpoint


def test_a_full_disk_costs_the_run_that_is_on_it_until_there_is_room(
    tmp_path: Path, disk: Mount, alone: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "runs"
    jobs = jobs_of(grid(2), root)
    disk(jobs[0].path, SMALL)
    assert make(jobs, root, Manner(jobs=2, threads=1)) == 1
    said = capfd.readouterr().err
    assert f"missing: {jobs[0].name}" in said and "No space left on device" in said
    assert f"completed: {jobs[1].name}" in said
    disk(jobs[0].path, "size=50m")
    assert make(jobs, root, Manner(jobs=2, threads=1)) == 0
    assert "why" not in RunFolder(jobs[0].path).description()
    for mine, other in zip(jobs, jobs_of(grid(2), alone), strict=True):
        assert lines(mine.path) == lines(other.path)


def test_a_folder_that_cannot_be_written_is_named_and_the_rest_is_made(
    tmp_path: Path, disk: Mount, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = jobs_of(grid(2), tmp_path)
    disk(jobs[0].path, "ro")
    assert make(jobs, tmp_path, Manner(jobs=2, threads=1)) == 1
    said = capfd.readouterr().err
    assert f"missing: {jobs[0].name}" in said and "Read-only file system" in said
    assert f"completed: {jobs[1].name}" in said


def damage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def stopped_with_two_checkpoints(folder: Path) -> list[Path]:
    """The newest one last."""
    process = started(WORDS, folder)
    until(lambda: len(list((folder / "checkpoint").glob("*.json"))) == 2)
    process.kill()
    process.join()
    return [manifest.with_suffix(".pt") for manifest in sorted((folder / "checkpoint").glob("*.json"))]


def test_a_damaged_newest_checkpoint_costs_what_was_done_since_the_one_before(
    tmp_path: Path, shelf: Path
) -> None:
    folder = tmp_path / "run"
    damage(stopped_with_two_checkpoints(folder)[-1])
    completed(WORDS, folder)
    assert "trying the checkpoint before it" in folder.with_suffix(".log").read_text()
    assert lines(folder) == lines(completed(WORDS, tmp_path / "whole"))


def test_when_no_checkpoint_is_whole_the_run_says_so_and_loses_nothing(tmp_path: Path, shelf: Path) -> None:
    folder = tmp_path / "run"
    for file in stopped_with_two_checkpoints(folder):
        damage(file)
    before = (folder / "records.jsonl").read_bytes()
    process = started(WORDS, folder)
    process.join()
    assert process.exitcode == DamagedFile.code
    assert "none of its 2 checkpoints is intact" in folder.with_suffix(".log").read_text()
    assert (folder / "records.jsonl").read_bytes() == before


def test_a_damaged_run_json_is_a_missing_row_and_no_more(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = jobs_of(grid(2), tmp_path)
    jobs[0].path.mkdir(parents=True)
    (jobs[0].path / "run.json").write_text('{"schema": 1,')
    assert make(jobs, tmp_path, Manner(jobs=2, threads=1)) == 1
    said = capfd.readouterr().err
    assert "run.json: not valid JSON" in said and f"completed: {jobs[1].name}" in said
    assert main(["resume", str(jobs[0].path)]) == DamagedFile.code
