"""Folders of another version of the suite are named as that, before anything is started or written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from drilling import grid

from metairl.cli.main import main
from metairl.core import checkpoint
from metairl.core.errors import Incompatible
from metairl.core.records import RunFolder
from metairl.experiments.fleet.jobs import jobs_of, planned
from metairl.experiments.run import execute

Change = Callable[[dict[str, Any]], object]
LATER = {"metairl": "9.1.0"}


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda r: r.update(schema=2), "in schema 2; this version reads schema 1"),
        (lambda r: r["config"]["learner"].update(clop=1), "unknown key 'learner.clop'"),
        (lambda r: r["config"].update(critic={}), "unknown part 'critic'"),
        (lambda r: r.update(method="rl3"), "no method 'rl3'"),
        (lambda r: r.pop("config"), "it has no 'config'"),
    ],
)
def test_a_run_json_that_cannot_be_read_names_its_version(
    tmp_path: Path, change: Change, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = jobs_of(grid(2), tmp_path)
    (job,) = planned(jobs[:1])
    file = RunFolder(job.path).run_file
    run = json.loads(file.read_text()) | {"versions": LATER}
    change(run)
    file.write_text(json.dumps(run))
    with pytest.raises(Incompatible, match=r"made by metairl 9\.1\.0") as fault:
        planned(reversed(jobs))
    assert said in str(fault.value)
    assert main(["resume", str(job.path)]) == Incompatible.code
    assert capsys.readouterr().err.count("\n") == 1
    assert json.loads(file.read_text()) == run


def test_a_checkpoint_of_other_networks_names_its_version(tmp_path: Path) -> None:
    asked = grid(1)[0]
    folder = RunFolder(tmp_path)
    execute(asked, tmp_path, [])
    folder.describe(folder.description() | {"status": "interrupted", "versions": LATER})
    saved = checkpoint.load(folder.checkpoints)
    assert saved is not None
    saved["recipe"]["networks"] = {"other": torch.zeros(3)}
    checkpoint.save(folder.checkpoints, 10**9, saved)
    with pytest.raises(Incompatible, match=r"made by metairl 9\.1\.0, and does not fit"):
        execute(asked, tmp_path, [])
