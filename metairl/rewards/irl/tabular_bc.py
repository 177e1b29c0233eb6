"""Behavioural cloning by counting: in every state what was done there most; elsewhere every action alike.

    π(a | s) = 1 for the action that was shown most in s, ties in equal parts

It asks for no reward, and knows nothing of states that no demonstration was in.
"""

import torch

from metairl.core.types import Demonstrations, FiniteMDP, NoConfig, Spec
from metairl.rewards.irl.solution import IRLSolution


class TabularBC:
    def __init__(self, spec: Spec, config: NoConfig):
        self.horizon = spec.horizon

    def fit(self, chart: FiniteMDP, shown: Demonstrations) -> IRLSolution:
        lanes, states, actions = len(chart), chart.successors.shape[1], chart.probs.shape[2]
        pairs = (shown.states * actions + shown.actions).flatten(1)
        counts = chart.features.new_zeros(lanes, states * actions)
        counts = counts.scatter_add(1, pairs, torch.ones_like(pairs, dtype=counts.dtype))
        most = counts.view(lanes, states, actions)
        most = (most == most.amax(-1, keepdim=True)).to(counts)
        policy = (most / most.sum(-1, keepdim=True)).unsqueeze(1)
        return IRLSolution(policy.expand(-1, self.horizon, -1, -1), None)
