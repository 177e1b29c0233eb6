"""Chooses the classical rows' free parameters on validation tasks and writes them beside this file.

    python benchmarks/tuned/choose.py

A grid of a few values a row and cell; the test tasks are never touched.
"""

from pathlib import Path

import numpy as np

from metairl import methods
from metairl.protocol import Spent
from metairl.run import build, judge, request

BANDITS = [f"bandit-{arms}:pulls={pulls}" for pulls in (10, 100, 500) for arms in (5, 10, 50)]
MDPS = [f"tabular-mdp:episodes={episodes}" for episodes in (10, 25, 50, 75, 100)]
GRIDS: dict[str, tuple[str, tuple[float, ...], list[str]]] = {
    "ucb1": ("coefficient", (0.05, 0.1, 0.2, 0.3, 0.4), BANDITS),
    "epsilon-greedy": ("epsilon", (0.01, 0.02, 0.05, 0.1), BANDITS),
    "beb": ("bonus", (0.25, 0.5, 1.0, 2.0), MDPS),
    "ucrl2": ("scale", (0.02, 0.05, 0.1, 0.2), MDPS),
    "opsrl": ("samples", (1, 2, 5), MDPS),
    "mdp-epsilon-greedy": ("epsilon", (0.01, 0.02, 0.05), MDPS),
}


def score(name: str, task: str, key: str, value: float) -> float:
    settings = methods.settings_from(methods.find(name), None, {"learner": {key: value}}, "grid")
    asked = request(name, task, settings=settings)
    evaluations = judge(asked, build(asked)[0], "validation", Spent())
    return float(np.sum([np.mean(e.returns) for e in evaluations]))


def main() -> None:
    for name, (key, values, tasks) in GRIDS.items():
        lines = [f"# Chosen by choose.py from {key} in {', '.join(map(str, values))}, on validation tasks."]
        for task in tasks:
            best = max(values, key=lambda value, task=task: score(name, task, key, value))  # type: ignore[misc]
            lines += ["", f'["{task}".learner]', f"{key} = {best}"]
            print(name, task, best, flush=True)
        Path(__file__).with_name(f"{name}.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
