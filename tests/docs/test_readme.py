"""Every command that the README says is run by the tests is run here, in order, as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

from metairl.methods.registry import METHODS

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"```bash\n# runs in the tests\n(.*?)```", re.DOTALL)


ROW = re.compile(
    r"^\| `([\w-]+)` \| (.+?) \| .*? \| (.*?) \| `(.+?\.py)` \| \[.+?\]\((.+?)\) \|$", re.MULTILINE
)


def test_the_table_of_methods_is_the_registry_s() -> None:
    """Every method with its title, its regimes, a file that exists and a page that exists."""
    rows = {row[0]: row[1:] for row in ROW.findall(README.read_text(encoding="utf-8"))}
    assert rows.keys() == METHODS.keys()
    for name, (title, regimes, code, page) in rows.items():
        method = METHODS[name]
        assert title == method.title
        assert not regimes or re.findall(r"[\w-]+", regimes) == list(method.regimes)
        assert (README.parent / "metairl" / code).is_file() and (README.parent / page).is_file()


def test_the_readmes_commands_work(tmp_path: Path) -> None:
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    assert blocks
    known = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    known.pop("METAIRL_DATA", None)  # logs of other tests
    for block in blocks:
        done = subprocess.run(
            ["bash", "-euc", block],
            cwd=tmp_path,
            env=known,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
