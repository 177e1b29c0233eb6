"""The project on docs/submit.md, from an agent to a site, as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from metairl.tasks import catalogue

PAGE = (catalogue.PACKAGE.parent / "docs" / "submit.md").read_text(encoding="utf-8")


def test_the_page_s_project_makes_a_row(tmp_path: Path) -> None:
    agent = re.findall(r"```python\n# agent.py\n(.*?)```", PAGE, re.DOTALL)[0]
    commands = re.findall(r"```bash\n# runs in the tests\n(.*?)```", PAGE, re.DOTALL)[0]
    judged, packed = commands.split("metairl submit", 1)
    (tmp_path / "agent.py").write_text(agent)
    run(judged, tmp_path)
    for file in tmp_path.glob("runs/means/*/run.json"):  # whatever the tree is that tests run in
        file.write_text(file.read_text().replace('"dirty": true', '"dirty": false'))
    run("metairl submit" + with_some_nonce(packed), tmp_path)
    assert "mean-of-arms" in (tmp_path / "site" / "bandits-mdps" / "index.html").read_text(encoding="utf-8")


def with_some_nonce(commands: str) -> str:
    """One nonce in twenty doubts honest claims."""
    (line,) = (line for line in commands.splitlines() if "--nonce today" in line)
    tries = f"for word in a b c d e; do {line.replace('today', '$word')} && agreed=yes && break; done"
    return commands.replace(line, f'{tries}\ntest "$agreed"')


def run(commands: str, where: Path) -> None:
    known = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euc", commands], cwd=where, env=known, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
