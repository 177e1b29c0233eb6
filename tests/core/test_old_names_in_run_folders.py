"""Interrupted runs of version 0.1.0, with old names in run.json, records and checkpoints, are resumed and end
with the test returns that 0.1.0 itself found; what cannot be read is refused by its version."""

import json
import shutil
from pathlib import Path

import pytest

from metairl.cli.main import main
from metairl.core.errors import Incompatible
from metairl.core.records import Evaluation, RunFolder

OLD = Path(__file__).parent / "old_runs"
NAMES = sorted(path.name for path in OLD.iterdir() if path.is_dir())


def test_there_are_some() -> None:
    assert NAMES == ["pearl", "preferences-sac"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_resumed_and_ends_as_the_old_version_ended(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(OLD / name, folder)
    assert main(["resume", str(folder), "--wandb", "disabled"]) == 0
    found = [
        r.returns for r in RunFolder(folder).records() if isinstance(r, Evaluation) and r.split == "test"
    ]
    assert found == json.loads((OLD / f"{name}.json").read_text())["returns"]


def test_it_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(OLD / "pearl", tmp_path / "pearl")
    assert main(["evaluate", str(tmp_path / "pearl"), "--split", "validation", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == 100


def test_a_setting_that_no_version_has_known_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pearl"
    shutil.copytree(OLD / "pearl", folder)
    run = json.loads((folder / "run.json").read_text())
    run["config"]["recipe"]["surgerie"] = True
    (folder / "run.json").write_text(json.dumps(run))
    assert main(["resume", str(folder)]) == Incompatible.code == 13
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "made by metairl 0.1.0" in said and "surgerie" in said
