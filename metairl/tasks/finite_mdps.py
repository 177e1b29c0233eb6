"""Finite MDPs with known dynamics, and their rewards, built from task parameters.

    gridworld     every cell has one of K terrains, its one-hot feature φ; r = w · φ
    objectworld   objects on some cells, each with an inner and an outer colour; features are the distances
                  to the nearest object of each colour. r = w₁ within 3 steps of outer colour 0 and 2 of outer
                  colour 1, w₂ within 3 of outer colour 0 only, else 0      Levine, Popović & Koltun 2011
    binaryworld   cells are blue or not; features are the colours of the 3 × 3 cells around. r = w₁ where four
                  of the nine are blue, w₂ where five are, else 0           Wulfmeier et al. 2015, arXiv:1507.04888
    random-mdp    P(· | s, a) and features φ of states are random; r = w · φ

On a grid the five actions are a step in one of four directions and staying. With probability ε the action is
replaced by a uniformly random one; a step over the edge stays in place. Distances are Manhattan distances,
divided by the side length where they are features. Initial states are uniform.

Departures: every cell has an object with probability `OBJECTS`, instead of a fixed number of objects; weights
w differ by task.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor
from torch.nn.functional import one_hot, unfold

from metairl.core.types import FiniteMDP

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1), (0, 0))  # row and column offsets of the actions
OBJECTS = 0.1  # probability that a cell has an object
COLOURS = 2  # of outer colours, and of inner ones


@dataclass(frozen=True)
class FiniteMDPTask:
    """B finite MDPs with their rewards."""

    mdp: FiniteMDP
    reward: Tensor  # [B, S], for acting in a state


def gridworld(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S + 1 + K]: terrain, ε, w."""
    terrain, noise, weights = _split(parameters, states, 1)
    kinds = weights.shape[1]
    features = one_hot((terrain * kinds).long().clamp(max=kinds - 1), kinds).to(parameters)
    return FiniteMDPTask(_grid(features, noise), _linear_reward(features, weights))


def objectworld(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S + 1 + 2]: objects, ε, w."""
    cells, noise, weights = _split(parameters, states, 1)
    distance = colour_distances(cells)
    near_first, near_second = distance[..., 0] <= 3, distance[..., 1] <= 2
    near_both, near_first_only = near_first & near_second, near_first & ~near_second
    reward = near_both * weights[:, :1] + near_first_only * weights[:, 1:]
    return FiniteMDPTask(_grid(distance / isqrt(states), noise), reward)


def binaryworld(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S + 1 + 2]: colours, ε, w."""
    cells, noise, weights = _split(parameters, states, 1)
    side = isqrt(states)
    blue = (cells < 0.5).to(parameters).view(-1, 1, side, side)
    features = unfold(blue, kernel_size=3, padding=1).transpose(1, 2)  # [B, S, 9]
    count = features.sum(-1)
    reward = (count == 4) * weights[:, :1] + (count == 5) * weights[:, 1:]
    return FiniteMDPTask(_grid(features, noise), reward)


def random_mdp(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S · A · S + S · F + F]: P, φ, w."""
    width = (parameters.shape[1] - states * actions * states) // (states + 1)
    probs, features, weights = _split(parameters, states * actions * states, states * width)
    features = features.view(-1, states, width)
    successors = torch.arange(states, device=parameters.device).expand(len(parameters), states, states)
    start = parameters.new_full((len(parameters), states), 1 / states)
    mdp = FiniteMDP(successors, probs.view(-1, states, actions, states), features, start)
    return FiniteMDPTask(mdp, _linear_reward(features, weights))


FINITE_MDPS: dict[str, Callable[[Tensor, int, int], FiniteMDPTask]] = {
    "gridworld": gridworld,
    "objectworld": objectworld,
    "binaryworld": binaryworld,
    "random-mdp": random_mdp,
}


def colour_distances(cells: Tensor) -> Tensor:
    """Steps to the nearest object of outer colour 0, outer 1, inner 0, inner 1; [B, S] -> [B, S, 4]. At most 2 √S.

    A cell whose value is below `OBJECTS` has an object, and the quarter of [0, OBJECTS) that the value is in
    is its pair of colours.
    """
    states = cells.shape[1]
    pair = (cells / OBJECTS * COLOURS**2).long()  # 4 and above: no object
    outer, inner = pair // COLOURS, pair % COLOURS
    is_object = pair < COLOURS**2
    distances = _manhattan_distances(isqrt(states)).to(cells)  # [S, S]
    furthest = 2.0 * isqrt(states)
    coloured = [is_object & (colours == one) for colours in (outer, inner) for one in range(COLOURS)]
    nearest = [distances.where(cell.unsqueeze(1), furthest).amin(-1) for cell in coloured]
    return torch.stack(nearest, dim=-1)


def _manhattan_distances(side: int) -> Tensor:
    """Between all pairs of cells, [S, S]."""
    cell = torch.arange(side * side)
    row, column = cell // side, cell % side
    return (row - row[:, None]).abs() + (column - column[:, None]).abs()


def _grid(features: Tensor, noise: Tensor) -> FiniteMDP:
    lanes, states, _ = features.shape
    successors = neighbours(isqrt(states)).to(noise.device).expand(lanes, states, len(MOVES))
    uniform = noise.view(-1, 1, 1) / len(MOVES)
    probs = torch.eye(len(MOVES)).to(noise) * (1 - noise.view(-1, 1, 1)) + uniform  # [B, A, M]
    start = features.new_full((lanes, states), 1 / states)
    return FiniteMDP(successors, probs.unsqueeze(1), features, start)


def neighbours(side: int) -> Tensor:
    """The successor of each cell for each move, [S, M]."""
    cell = torch.arange(side * side)
    row, column = cell // side, cell % side
    successors = [
        (row + down).clamp(0, side - 1) * side + (column + right).clamp(0, side - 1) for down, right in MOVES
    ]
    return torch.stack(successors, dim=1)


def _split(parameters: Tensor, first: int, second: int) -> tuple[Tensor, Tensor, Tensor]:
    """The first columns, the next ones, and the rest."""
    return parameters[:, :first], parameters[:, first : first + second], parameters[:, first + second :]


def _linear_reward(features: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("bsf,bf->bs", features, weights)
