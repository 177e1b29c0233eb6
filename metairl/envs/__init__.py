"""ENVS: a name on a task card to a class built as `Env(tasks, horizon, episodes, rng)`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator

from metairl.core.interfaces import Env
from metairl.core.types import Spec, Tasks
from metairl.envs.bandit import Bandit
from metairl.envs.classic import Acrobot, CartPole
from metairl.envs.engines import Kind
from metairl.envs.finite_mdp import FiniteMDPEnv
from metairl.envs.lander import Lander
from metairl.envs.locomotion import Locomotion
from metairl.envs.maze_first_person import Maze
from metairl.envs.maze_grid import MazeGrid
from metairl.envs.metaworld import MetaWorld
from metairl.envs.point import Point, SparsePoint
from metairl.envs.point_maze import PointMaze
from metairl.envs.tabular import Tabular
from metairl.envs.tokens import Tokens
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS

ENVS: dict[str, Callable[..., Env]] = {
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
} | {kind: partial(FiniteMDPEnv, kind) for kind in FINITE_MDPS}


def make(card: TaskCard, tasks: Tasks, rng: Generator, engine: Kind = "cpu") -> Env:
    """A batched environment of these tasks, as the card describes it; physics is stepped by an engine."""
    robot: dict[str, Any] = {"physics": card.physics} if card.physics else {"arm": card.arm}
    simulated = {**robot, "engine": engine} if card.simulated else {}
    return ENVS[card.world](tasks, card.horizon, card.episodes, rng, **simulated)


def spec_of(card: TaskCard) -> Spec:
    """The sizes of a card's environments."""
    one = sampling.sample_tasks(card, 1, torch.Generator())
    return replace(make(card, one, torch.Generator()).spec, skills=sampling.skills(card))
