"""The bound of maze rows: told the map, it goes to a neighbouring square that is nearer to the goal.

    a = argmin_a D(x + a),   D the number of moves to the goal

What it sees does not say where it is, so it counts its own steps from the start.
"""

import torch
from torch import Generator, Tensor

from metairl.floor_plans import MOVES, START, distances, find
from metairl.types import Context, NoConfig, Spec, State


class ShortestPath:
    def __init__(self, spec: Spec, config: NoConfig):
        self.side = round(spec.params**0.5)

    def initial(self, lanes: int) -> State:
        return torch.zeros(lanes, self.side, self.side), torch.zeros(lanes, 2, dtype=torch.int64)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        assert context.task is not None, "the bound is told the map"
        plans = context.task.view(-1, self.side, self.side)
        far, here = state
        last = context.prev_action[:, 0]
        begins = (context.prev_done[:, 0] == 1) | (last.sum(1) == 0)
        if last.sum() == 0:
            far = distances(plans)
        here = (here + MOVES[last.argmax(1)]).where(~begins.unsqueeze(1), find(plans, START))
        around = here.unsqueeze(1) + MOVES  # [B, 4, 2]
        lane = torch.arange(len(here)).unsqueeze(1)
        return far[lane, around[..., 0], around[..., 1]].argmin(1), (far, here)
