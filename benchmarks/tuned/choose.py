"""Chooses the classical rows' free parameters and writes them beside this file.

    python benchmarks/tuned/choose.py [METHOD …]

A grid of a few values a row and cell; the test tasks are never touched. Bandit rows are chosen on the card's
validation tasks. No MDP row looks at how many episodes are to come, so one trial of the longest cell gives
every shorter cell's return too; that is cheap enough for 300 tasks of the training law.
"""

import sys
from pathlib import Path

import numpy as np

from metairl.core.rng import stream
from metairl.evaluation.protocol import StepCounts, meta_test
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request
from metairl.methods import registry
from metairl.methods import settings as tuning
from metairl.tasks import sampling

BANDITS = [f"bandit-{arms}:pulls={pulls}" for pulls in (10, 100, 500) for arms in (5, 10, 50)]
MDPS = [f"tabular-mdp:episodes={episodes}" for episodes in (10, 25, 50, 75, 100)]
TUNING_TASKS = 300
GRIDS: dict[str, tuple[str, tuple[float, ...], list[str]]] = {
    "ucb1": ("coefficient", (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3), BANDITS),
    "epsilon-greedy": ("epsilon", (0.005, 0.01, 0.02, 0.05, 0.1), BANDITS),
    "beb": ("bonus", (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0), MDPS),
    "ucrl2": ("scale", (0.005, 0.01, 0.02, 0.05, 0.1), MDPS),
    "opsrl": ("samples", (2, 5), MDPS),
    "mdp-epsilon-greedy": ("epsilon", (0.01, 0.02, 0.05, 0.1), MDPS),
}
Score = dict[str, float]  # task as asked for -> mean return of a trial


def bandit_scores(name: str, settings: object) -> Score:
    scores = {}
    for task in BANDITS:
        asked = make_request(name, task, settings=settings)
        evaluations = judge(asked, build(asked)[0], "validation", StepCounts())
        scores[task] = float(np.sum([np.mean(e.returns) for e in evaluations]))
    return scores


def mdp_scores(name: str, settings: object) -> Score:
    asked = make_request(name, MDPS[-1], settings=settings)
    drawn = sampling.sample_tasks(asked.card, TUNING_TASKS, stream("tuning", asked.card.id))
    tasks = sampling.TaskSet(asked.card.id, "train", drawn)
    evaluations = meta_test(build(asked)[0], asked.card, tasks, asked.inputs, asked.seed, StepCounts())
    so_far = np.cumsum([np.mean(e.returns) for e in evaluations])
    return {task: float(so_far[int(task.partition("=")[2]) - 1]) for task in MDPS}


def main() -> None:
    for name in sys.argv[1:] or GRIDS:
        key, values, tasks = GRIDS[name]
        scores: dict[float, Score] = {}
        for value in values:
            settings = tuning.settings_from(registry.find(name), None, {"learner": {key: value}}, "grid")
            scores[value] = (mdp_scores if tasks is MDPS else bandit_scores)(name, settings)
            print(name, key, value, *(f"{x:.1f}" for x in scores[value].values()), flush=True)
        source = "training-law" if tasks is MDPS else "validation"
        lines = [f"# Chosen by choose.py from {key} in {', '.join(map(str, values))}, on {source} tasks."]
        for task in tasks:
            best = max(values, key=lambda value, task=task: scores[value][task])  # type: ignore[misc]
            lines += ["", f'["{task}".learner]', f"{key} = {best}"]
        Path(__file__).with_name(f"{name}.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
