"""The optimal policy of a finite MDP, which observes the task: its dynamics and its reward."""

import torch
from torch import Generator, Tensor

from metairl.agents.exact.planning import HARD, plan
from metairl.core.types import Context, NoConfig, Spec, State
from metairl.tasks.finite_mdps import FINITE_MDPS


class Optimal:
    def __init__(self, spec: Spec, config: NoConfig):
        self.spec = spec

    def initial(self, lanes: int) -> State:
        plans = torch.zeros(lanes, self.spec.horizon, self.spec.obs, dtype=torch.int64)
        return plans, torch.zeros(lanes, dtype=torch.int64)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        plans, clock = state
        clock = clock.where(context.prev_done[:, 0] == 0, 0)
        if bool((clock == 0).any()):
            plans = self._plans(context)
        now = context.obs[:, 0].argmax(1)
        return plans[torch.arange(len(now)), clock, now], (plans, clock + 1)

    def _plans(self, context: Context) -> Tensor:
        assert self.spec.finite_mdp and context.task is not None, "a finite MDP, observed"
        mdp = FINITE_MDPS[self.spec.finite_mdp](context.task, self.spec.obs, self.spec.actions)
        return plan(mdp.mdp, mdp.reward, self.spec.horizon, HARD).policy.argmax(-1)
