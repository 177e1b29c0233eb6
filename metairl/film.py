"""Ways through mazes for people to look at: a map for every episode, as a picture and as a film.

A way is where a lane was before each step of an episode, and the goal last where it was found.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Generator, Tensor

from metairl.cards import TaskCard
from metairl.floor_plans import find
from metairl.maps import GOAL, START, WALL
from metairl.rollout import outcome
from metairl.streams import stream
from metairl.types import Policy, Sight, Step, Tasks
from metairl.worlds import make

FRAMES_A_SECOND = 12
LINGER = 12  # frames for which the last moment stays


@dataclass(frozen=True)
class Way:
    """One episode in one maze."""

    plan: Tensor  # [side, side]
    places: Tensor  # [L, 2], or [L + 1, 2] with the goal, in rows and columns of squares
    found: bool

    @property
    def title(self) -> str:
        return f"{len(self.places) - 1} steps" if self.found else "not found"


def ways(policy: Policy, card: TaskCard, tasks: Tasks, sight: Sight, seed: int) -> list[list[Way]]:
    """What the policy does in every maze, [maze][episode]."""
    world = _Watched(card, tasks, stream("film", card.id, seed))
    came = outcome(policy, world, stream("film", "act", card.id, seed), sight)
    places = torch.stack(world.places, dim=1)  # [B, T, 2]
    shown = []
    for lane, plan in enumerate(tasks["plan"]):
        goal = (find(plan[None], GOAL) + 0.5).float()
        ends = came.done[lane].nonzero().flatten()[: card.episodes].tolist()
        begins = [0, *(end + 1 for end in ends[:-1])]
        found = came.success[lane, ends].tolist()
        shown.append([
            Way(plan, torch.cat([places[lane, a : b + 1], goal[: int(there)]]), there)
            for a, b, there in zip(begins, ends, found, strict=True)
        ])  # fmt: skip
    return shown


def write_picture(mazes: list[list[Way]], path: Path) -> None:
    figure, lines = _figure(mazes)
    for line, way in lines:
        _show(line, way, len(way.places))
    figure.savefig(path, dpi=100)


def write_film(mazes: list[list[Way]], path: Path) -> None:
    """H.264 in MP4, which browsers play."""
    pictures = list(_frames(mazes))
    with av.open(str(path), "w") as container:
        film: Any = container.add_stream("libx264", rate=FRAMES_A_SECOND)
        film.pix_fmt = "yuv420p"
        film.height, film.width = pictures[0].shape[:2]
        for picture in pictures:
            container.mux(film.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(film.encode())


def _frames(mazes: list[list[Way]]) -> Iterator[NDArray[np.uint8]]:
    """Every episode from its beginning, side by side, until the longest is over."""
    figure, lines = _figure(mazes)
    canvas: Any = FigureCanvasAgg(figure)
    longest = max(len(way.places) for _, way in lines)
    for moment in range(1, longest + LINGER):
        for line, way in lines:
            _show(line, way, moment)
        canvas.draw()
        picture = np.asarray(canvas.buffer_rgba())[..., :3]
        height, width = (size // 2 * 2 for size in picture.shape[:2])  # as the codec needs
        yield np.ascontiguousarray(picture[:height, :width])


def _figure(mazes: list[list[Way]]) -> tuple[Figure, list[tuple[LineCollection, Way]]]:
    """Maps with their starts and goals, a row a maze and a column an episode, and lines yet to be drawn."""
    figure = Figure(figsize=(2.6 * len(mazes[0]), 2.8 * len(mazes)), layout="constrained")
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


class _Watched:
    """A world of mazes that notes where its lanes are before every step."""

    def __init__(self, card: TaskCard, tasks: Tasks, rng: Generator):
        self.world: Any = make(card, tasks, rng)
        self.spec, self.lanes, self.task = self.world.spec, self.world.lanes, self.world.task
        self.places: list[Tensor] = []

    def reset(self) -> Tensor:
        first: Tensor = self.world.reset()
        return first

    def step(self, action: Tensor) -> Step:
        self.places.append(self.world.place)
        step: Step = self.world.step(action)
        return step
