"""Ways through mazes: a map for every episode.

A way is where a lane was before each step of an episode, and the goal last where it was found.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from metairl.core.interfaces import Policy
from metairl.core.rng import stream
from metairl.core.rollout import rollout_outcome
from metairl.core.types import PolicyInputs, Tasks
from metairl.envs import make
from metairl.evaluation.videos import LINGER, Film, Picture
from metairl.evaluation.videos.watched import Watched, spans
from metairl.tasks.cards import TaskCard
from metairl.tasks.maze_text import GOAL, START, WALL
from metairl.tasks.mazes import find

FRAMES_A_SECOND = 12


@dataclass(frozen=True)
class Way:
    """One episode in one maze."""

    plan: Tensor  # [side, side]
    places: Tensor  # [L, 2], or [L + 1, 2] with the goal, in rows and columns of squares
    found: bool

    @property
    def title(self) -> str:
        return f"{len(self.places) - 1} steps" if self.found else "not found"


def shoot(policy: Policy, card: TaskCard, tasks: Tasks, inputs: PolicyInputs, seed: int) -> Film:
    """`ways`: a row a maze and a column an episode."""
    mazes = ways(policy, card, tasks, inputs, seed)
    return Film("ways", _still(mazes), _frames(mazes), FRAMES_A_SECOND)


def ways(policy: Policy, card: TaskCard, tasks: Tasks, inputs: PolicyInputs, seed: int) -> list[list[Way]]:
    """What the policy does in every maze, [maze][episode]."""
    env = Watched(make(card, tasks, stream("film", card.id, seed)), lambda env: env.place)
    came = rollout_outcome(policy, env, stream("film", "act", card.id, seed), inputs)
    places = env.history  # [B, T, 2]
    columns = []
    for lane, plan in enumerate(tasks["plan"]):
        goal = (find(plan[None], GOAL) + 0.5).float()
        episodes = spans(came, lane, card.episodes)
        found = [bool(came.success[lane, span][-1]) for span in episodes]
        columns.append([
            Way(plan, torch.cat([places[lane, span], goal[: int(there)]]), there)
            for span, there in zip(episodes, found, strict=True)
        ])  # fmt: skip
    return columns


def _still(mazes: list[list[Way]]) -> Picture:
    figure, lines = _figure(mazes)
    for line, way in lines:
        _show(line, way, len(way.places))
    return _drawn(figure)


def _frames(mazes: list[list[Way]]) -> Iterator[Picture]:
    """Every episode from its beginning, side by side, until the longest is over."""
    figure, lines = _figure(mazes)
    longest = max(len(way.places) for _, way in lines)
    for moment in range(1, longest + LINGER):
        for line, way in lines:
            _show(line, way, moment)
        yield _drawn(figure)


def _drawn(figure: Figure) -> Picture:
    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(mazes: list[list[Way]]) -> tuple[Figure, list[tuple[LineCollection, Way]]]:
    """Maps with their starts and goals, a row a maze and a column an episode, and lines yet to be drawn."""
    figure = Figure(figsize=(2.6 * len(mazes[0]), 2.8 * len(mazes)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(mazes), len(mazes[0]), squeeze=False)
    lines = []
    for episodes, row in zip(mazes, axes, strict=True):
        for k, (way, axis) in enumerate(zip(episodes, row, strict=True)):
            side = len(way.plan)
            axis.imshow((way.plan == WALL).numpy(), cmap="Greys", vmax=1.4, extent=(0, side, side, 0))
            for code, mark, colour in ((START, "o", "tab:blue"), (GOAL, "*", "tab:red")):
                i, j = (find(way.plan[None], code)[0] + 0.5).tolist()
                axis.plot(j, i, mark, color=colour, ms=10, mec="white")
            axis.set_title(f"episode {k + 1}: {way.title}", fontsize=9)
            axis.set_axis_off()
            line = LineCollection([], cmap="viridis", linewidths=2, capstyle="round")
            axis.add_collection(line)
            lines.append((line, way))
    return figure, lines


def _show(line: LineCollection, way: Way, moment: int) -> None:
    """The way up to a moment, dark where it is old. Steps that were taken twice lie beside each other."""
    walked = way.places[:moment].flip(1)  # across before down
    aside = torch.linspace(-0.15, 0.15, len(way.places)).unsqueeze(1)
    shifted = walked + aside[:moment]
    line.set_segments(list(torch.stack([shifted[:-1], shifted[1:]], dim=1).numpy()))
    line.set_array(np.arange(len(walked) - 1))
    line.set_clim(0, max(1, len(way.places) - 2))
