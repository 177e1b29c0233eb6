"""WORLDS: a name on a task card to a class built as `World(tasks, horizon, episodes, rng)`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Generator

from metairl.cards import TaskCard
from metairl.charts import CHARTS
from metairl.types import Tasks, World
from metairl.worlds.bandit import Bandit
from metairl.worlds.charted import Charted
from metairl.worlds.classic import Acrobot, CartPole
from metairl.worlds.engine import Kind
from metairl.worlds.lander import Lander
from metairl.worlds.locomotion import Locomotion
from metairl.worlds.maze import Maze
from metairl.worlds.maze_grid import MazeGrid
from metairl.worlds.metaworld import MetaWorld
from metairl.worlds.point import Point, SparsePoint
from metairl.worlds.point_maze import PointMaze
from metairl.worlds.tabular import Tabular
from metairl.worlds.tokens import Tokens

WORLDS: dict[str, Callable[..., World]] = {
    "acrobot": Acrobot,
    "bandit": Bandit,
    "cart-pole": CartPole,
    "lander": Lander,
    "locomotion": Locomotion,
    "maze": Maze,
    "maze-grid": MazeGrid,
    "meta-world": MetaWorld,
    "point": Point,
    "point-maze": PointMaze,
    "point-sparse": SparsePoint,
    "tabular": Tabular,
    "tokens": Tokens,
} | {kind: partial(Charted, kind) for kind in CHARTS}


def make(card: TaskCard, tasks: Tasks, rng: Generator, engine: Kind = "cpu") -> World:
    """A world of these tasks as the card has it; one with physics is stepped by an engine."""
    robot: dict[str, Any] = {"physics": card.physics} if card.physics else {"arm": card.arm}
    simulated = {**robot, "engine": engine} if card.simulated else {}
    return WORLDS[card.world](tasks, card.horizon, card.episodes, rng, **simulated)
