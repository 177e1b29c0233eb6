"""Gridworlds with known dynamics, and demonstrations sampled in them."""

import torch
from torch import Tensor

from metairl.core.rng import stream
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.tasks import finite_mdps

HORIZON, SIDE, KINDS = 6, 4, 3
SPEC = Spec(SIDE**2, 5, True, HORIZON, 1, 0, finite_mdp="gridworld", features=KINDS)


def gridworlds(lanes: int, noise: float, seed: int = 0) -> finite_mdps.FiniteMDPTask:
    """One task a lane; the three kinds of cells have the rewards 1, 0 and −1."""
    rng = stream("maxent", seed)
    parameters = torch.rand(lanes, SIDE**2 + 1 + KINDS, generator=rng, dtype=torch.float64)
    parameters[:, SIDE**2] = noise
    parameters[:, SIDE**2 + 1 :] = torch.tensor([1.0, 0.0, -1.0])
    return finite_mdps.gridworld(parameters, SIDE**2, 5)


def sample_demonstrations(mdps: FiniteMDP, policy: Tensor, count: int, seed: int = 0) -> Demonstrations:
    """So many episodes of the policy in every task."""
    rng = stream("maxent", "lived", seed)
    repeated = torch.arange(len(mdps)).repeat_interleave(count)
    mdps, policy = mdps[repeated], policy[repeated]
    lane = torch.arange(len(repeated))
    state = torch.multinomial(mdps.start, 1, generator=rng).squeeze(1)
    states, actions = [], []
    for step in range(policy.shape[1]):
        action = torch.multinomial(policy[lane, step, state], 1, generator=rng).squeeze(1)
        states.append(state)
        actions.append(action)
        successor = torch.multinomial(mdps.probs_at(state, action), 1, generator=rng).squeeze(1)
        state = mdps.successors[lane, state, successor]
    return Demonstrations(*(torch.stack(x, 1).view(-1, count, policy.shape[1]) for x in (states, actions)))
