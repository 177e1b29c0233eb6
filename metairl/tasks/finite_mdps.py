"""Charts: finite MDPs whose dynamics are known, made from task parameters. The reward is made beside them.

    gridworld     every cell has one of K kinds of ground; r = w · kind
    objectworld   objects on some cells, each with an inner and an outer colour; a cell sees how far the
                  nearest of every colour is. r = w₁ within 3 of outer colour 0 and 2 of outer colour 1, w₂
                  within 3 of outer colour 0 alone, else 0                      Levine, Popović & Koltun 2011
    binaryworld   cells are blue or not, and see the 3 × 3 around them. r = w₁ where four of the nine are
                  blue, w₂ where five are, else 0                               Wulfmeier et al. 2015
    random-mdp    P(· | s, a) and features of states are drawn; r = w · φ

On a grid an action is a step to one of four sides or none. With probability ε it is any of the five, whatever
was chosen; a step over the edge stays. Distances are sums of steps in both directions, and features are
divided by the side. An episode begins anywhere.

Departures: objects are as many as cells fall below `OBJECTS`, not a fixed number; weights differ by task.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor
from torch.nn.functional import one_hot, unfold

from metairl.core.types import FiniteMDP

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1), (0, 0))  # rows and columns
OBJECTS = 0.1  # share of cells with an object
COLOURS = 2


@dataclass(frozen=True)
class FiniteMDPTask:
    """What is known of B tasks, and what is not."""

    chart: FiniteMDP
    reward: Tensor  # [B, S], for being in a state when acting


def gridworld(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S + 1 + K]: ground, ε, w."""
    ground, noise, weights = _parts(parameters, states, 1)
    kinds = weights.shape[1]
    features = one_hot((ground * kinds).long().clamp(max=kinds - 1), kinds).to(parameters)
    return FiniteMDPTask(_grid(features, noise), _linear(features, weights))


def objectworld(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S + 1 + 2]: objects, ε, w."""
    cells, noise, weights = _parts(parameters, states, 1)
    far = colour_distances(cells)
    near_first, near_second = far[..., 0] <= 3, far[..., 1] <= 2
    both, first_alone = near_first & near_second, near_first & ~near_second
    reward = both * weights[:, :1] + first_alone * weights[:, 1:]
    return FiniteMDPTask(_grid(far / isqrt(states), noise), reward)


def binaryworld(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S + 1 + 2]: colours, ε, w."""
    cells, noise, weights = _parts(parameters, states, 1)
    side = isqrt(states)
    blue = (cells < 0.5).to(parameters).view(-1, 1, side, side)
    features = unfold(blue, kernel_size=3, padding=1).transpose(1, 2)  # [B, S, 9]
    count = features.sum(-1)
    reward = (count == 4) * weights[:, :1] + (count == 5) * weights[:, 1:]
    return FiniteMDPTask(_grid(features, noise), reward)


def random_mdp(parameters: Tensor, states: int, actions: int) -> FiniteMDPTask:
    """Parameters [B, S · A · S + S · F + F]: P, φ, w."""
    width = (parameters.shape[1] - states * actions * states) // (states + 1)
    probs, features, weights = _parts(parameters, states * actions * states, states * width)
    features = features.view(-1, states, width)
    every = torch.arange(states, device=parameters.device).expand(len(parameters), states, states)
    start = parameters.new_full((len(parameters), states), 1 / states)
    chart = FiniteMDP(every, probs.view(-1, states, actions, states), features, start)
    return FiniteMDPTask(chart, _linear(features, weights))


FINITE_MDPS: dict[str, Callable[[Tensor, int, int], FiniteMDPTask]] = {
    "gridworld": gridworld,
    "objectworld": objectworld,
    "binaryworld": binaryworld,
    "random-mdp": random_mdp,
}


def colour_distances(cells: Tensor) -> Tensor:
    """[B, S, 4] steps to the nearest object with outer colour 0, outer 1, inner 0, inner 1; at most 2 √S.

    A cell below `OBJECTS` has an object; where it stands between 0 and that is its pair of colours.
    """
    states = cells.shape[1]
    pair = (cells / OBJECTS * COLOURS**2).long()  # 4 and above: no object
    outer, inner = pair // COLOURS, pair % COLOURS
    there = pair < COLOURS**2
    apart = _apart(isqrt(states)).to(cells)  # [S, S]
    most = 2.0 * isqrt(states)
    owners = [there & (colours == one) for colours in (outer, inner) for one in range(COLOURS)]
    nearest = [apart.where(owner.unsqueeze(1), most).amin(-1) for owner in owners]
    return torch.stack(nearest, dim=-1)


def _apart(side: int) -> Tensor:
    cell = torch.arange(side * side)
    row, column = cell // side, cell % side
    return (row - row[:, None]).abs() + (column - column[:, None]).abs()


def _grid(features: Tensor, noise: Tensor) -> FiniteMDP:
    lanes, states, _ = features.shape
    successors = neighbours(isqrt(states)).to(noise.device).expand(lanes, states, len(MOVES))
    slips = noise.view(-1, 1, 1) / len(MOVES)
    probs = torch.eye(len(MOVES)).to(noise) * (1 - noise.view(-1, 1, 1)) + slips  # [B, A, M]
    start = features.new_full((lanes, states), 1 / states)
    return FiniteMDP(successors, probs.unsqueeze(1), features, start)


def neighbours(side: int) -> Tensor:
    """[S, M] where each move leads."""
    cell = torch.arange(side * side)
    row, column = cell // side, cell % side
    led = [
        (row + down).clamp(0, side - 1) * side + (column + right).clamp(0, side - 1) for down, right in MOVES
    ]
    return torch.stack(led, dim=1)


def _parts(parameters: Tensor, first: int, second: int) -> tuple[Tensor, Tensor, Tensor]:
    """The first columns, those after them, and the rest."""
    return parameters[:, :first], parameters[:, first : first + second], parameters[:, first + second :]


def _linear(features: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("bsf,bf->bs", features, weights)
