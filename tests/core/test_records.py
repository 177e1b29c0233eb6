"""Records and checkpoints: what was written is what is read, or a named complaint."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metairl.core import checkpoint
from metairl.core.errors import DamagedFile, StorageError
from metairl.core.records import Evaluation, RunFolder, Training, from_line, to_line, write_atomically

TRAINING = Training(env_steps=10, gradient_steps=2, metrics={"policy": -0.5}, seconds={"train": 0.1})
EVALUATION = Evaluation("test", 1, "ab" * 32, 10, 2, 0, 20, [1.0, 0.5], 10, None, {"eval": 0.2})


@given(st.lists(st.floats(width=32), max_size=5), st.integers(0, 2**40))
def test_a_record_survives_its_line(returns: list[float], steps: int) -> None:
    record = replace(EVALUATION, returns=returns, env_steps=steps)
    again = from_line(to_line(record), "here")
    assert isinstance(again, Evaluation)
    assert again.env_steps == steps
    assert all(a == b or (a != a and b != b) for a, b in zip(again.returns, returns, strict=True))


@given(st.data())
def test_any_flipped_bit_of_a_line_is_noticed(data: st.DataObject) -> None:
    line = to_line(TRAINING).encode()
    where, bit = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(0, 6))
    flipped = line[:where] + bytes([line[where] ^ (1 << bit)]) + line[where + 1 :]
    with pytest.raises(DamagedFile, match=r"records\.jsonl:7"):
        from_line(flipped.decode("latin-1"), "records.jsonl:7")


def test_a_torn_last_line_is_noticed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.create()
    folder.append([TRAINING, EVALUATION])
    whole = folder.size()
    with folder.records_file.open("a") as file:
        file.write(to_line(TRAINING)[:30])
    with pytest.raises(DamagedFile, match=r"records\.jsonl:3"):
        list(folder.records())
    folder.cut(whole)
    assert list(folder.records()) == [TRAINING, EVALUATION]


def test_a_record_file_shorter_than_its_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.create()
    folder.append([TRAINING])
    with pytest.raises(DamagedFile, match="but the checkpoint was saved at"):
        folder.cut(folder.size() + 1)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        RunFolder(tmp_path / "file" / "run").create()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match=r"run.json: cannot write \(No space left on device\)"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def saved(folder: Path, *numbers: int) -> None:
    for number in numbers:
        checkpoint.save(folder, number, {"number": number, "weights": torch.full((1000,), float(number))})


def test_the_newest_checkpoint_is_loaded_and_one_before_it_is_kept(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 10)
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None and loaded["number"] == 10
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        f"{number:012d}.{kind}" for number in (2, 10) for kind in ("json", "pt")
    ]


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "text", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path, 1, 2)
    harm(tmp_path / f"{2:012d}.pt", damage)
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None and loaded["number"] == 1
    assert "trying the checkpoint before it" in capsys.readouterr().err
    harm(tmp_path / f"{1:012d}.pt", damage)
    with pytest.raises(DamagedFile, match="none of its 2 checkpoints is intact"):
        checkpoint.load(tmp_path)


def test_a_checkpoint_without_its_manifest_was_never_finished(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    (tmp_path / f"{2:012d}.json").unlink()
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None and loaded["number"] == 1
    assert checkpoint.load(tmp_path / "none") is None


def harm(file: Path, damage: str) -> None:
    data = file.read_bytes()
    middle = len(data) // 2
    match damage:
        case "flip":
            file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        case "truncate":
            file.write_bytes(data[:middle])
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("not a checkpoint")
        case "missing":
            file.unlink()
