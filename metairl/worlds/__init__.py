"""WORLDS: a name on a task card to a class built as `World(tasks, horizon, episodes, rng)`."""

from collections.abc import Callable

from metairl.types import World
from metairl.worlds.bandit import Bandit
from metairl.worlds.maze import Maze
from metairl.worlds.maze_grid import MazeGrid
from metairl.worlds.tabular import Tabular

WORLDS: dict[str, Callable[..., World]] = {
    "bandit": Bandit,
    "maze": Maze,
    "maze-grid": MazeGrid,
    "tabular": Tabular,
}
