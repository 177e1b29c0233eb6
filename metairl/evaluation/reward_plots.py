"""Pictures of rewards on a grid: the true one, and what demonstrations were explained by."""

from math import isqrt
from pathlib import Path

from torch import Tensor

from metairl.core.errors import UsageError
from metairl.core.records import writing


def draw(true: Tensor, recovered: Tensor, folder: Path, tasks: int) -> Path:
    """A row a task, true beside recovered, each on a scale of its own: a reward's scale means nothing."""
    from matplotlib.figure import Figure

    states = true.shape[1]
    side = isqrt(states)
    if side * side != states:
        raise UsageError(f"--plot draws grids; {states} states are none")
    count = min(tasks, len(true))
    figure = Figure(figsize=(5.2, 2.5 * count), layout="constrained")
    axes = figure.subplots(count, 2, squeeze=False)
    for task in range(count):
        for column, (name, reward) in enumerate((("true", true), ("recovered", recovered))):
            axis = axes[task, column]
            picture = axis.imshow(reward[task].view(side, side).numpy(), cmap="cividis")
            figure.colorbar(picture, ax=axis, shrink=0.8)
            axis.set(xticks=[], yticks=[], title=f"{name}, task {task}")
    path = folder / "rewards.png"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    return path
