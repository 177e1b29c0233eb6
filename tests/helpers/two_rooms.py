"""A finite MDP of two states, in which an agent stays or crosses, and demonstrations of it."""

import torch

from metairl.core.types import Demonstrations, FiniteMDP, Spec

SUCCESSORS = torch.tensor([[[0, 1], [1, 0]]])  # stay or cross
SPEC = Spec(2, 2, True, 4, 1, 0, finite_mdp="random-mdp", features=2)


def two_rooms(features: list[list[float]] | None = None) -> FiniteMDP:
    """Episodes start in the first state; by default features are one-hot."""
    probs = torch.eye(2, dtype=torch.float64).view(1, 1, 2, 2)
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    of_states = torch.tensor([features or [[1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    return FiniteMDP(SUCCESSORS, probs, of_states, start)


def crossing() -> Demonstrations:
    """One demonstration, which crosses at once and stays."""
    return Demonstrations(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[1, 0, 0, 0]]]))
