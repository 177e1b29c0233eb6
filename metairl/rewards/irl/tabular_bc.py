"""Behavioural cloning by counting.

    π(a | s) = 1 for the action demonstrated most often in s, shared among ties

In states without demonstrations all actions are equally likely. No reward is recovered.
"""

import torch

from metairl.core.types import Demonstrations, FiniteMDP, NoConfig, Spec
from metairl.rewards.irl.solution import IRLSolution


class TabularBC:
    def __init__(self, spec: Spec, config: NoConfig):
        self.horizon = spec.horizon

    def fit(self, mdps: FiniteMDP, demos: Demonstrations) -> IRLSolution:
        lanes, states, actions = len(mdps), mdps.successors.shape[1], mdps.probs.shape[2]
        pairs = (demos.states * actions + demos.actions).flatten(1)
        counts = mdps.features.new_zeros(lanes, states * actions)
        counts = counts.scatter_add(1, pairs, torch.ones_like(pairs, dtype=counts.dtype))
        counts = counts.view(lanes, states, actions)
        most = (counts == counts.amax(-1, keepdim=True)).to(counts)
        policy = (most / most.sum(-1, keepdim=True)).unsqueeze(1)
        return IRLSolution(policy.expand(-1, self.horizon, -1, -1), None)
