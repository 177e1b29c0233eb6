"""What a Bayesian knows of a random tabular MDP: the RL² paper's own prior, updated step by step.

    P(· | s, a) ~ Dirichlet(1 + n(s, a, ·))
    m(s, a)     ~ N( (μ₀ + Σ r) / (1 + n), 1 / (1 + n) ),    n = visits of (s, a); prior N(μ₀, 1), noise 1

The tasks are drawn with μ₀ = 1. The prior is one reward of μ₀ that the sums begin with.

An episode's last step is followed by the next episode's start, which is no successor: its reward is
learned from, its transition is not.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.core.types import Context, Spec


@dataclass(frozen=True)
class Posterior:
    counts: Tensor  # [B, S, A, S], observed transitions
    visits: Tensor  # [B, S, A]
    sums: Tensor  # [B, S, A], of rewards, from μ₀ on

    def after(self, last: Tensor, context: Context) -> "Posterior":
        """With the step from state `last` [B, S] (one-hot) that led to this context."""
        assert context.prev_reward is not None, "a learner of rewards reads the reward"
        pair = last.unsqueeze(-1) * context.prev_action[:, 0].unsqueeze(1)  # [B, S, A], zero at first
        goes_on = (1 - context.prev_done).unsqueeze(-1)  # [B, 1, 1]
        moved = (pair * goes_on).unsqueeze(-1) * context.obs[:, 0, None, None, :]
        reward = context.prev_reward.unsqueeze(-1)
        return Posterior(self.counts + moved, self.visits + pair, self.sums + pair * reward)

    def mean_transitions(self) -> Tensor:
        concentration = 1 + self.counts
        return concentration / concentration.sum(-1, keepdim=True)

    def mean_rewards(self) -> Tensor:
        return self.sums / (1 + self.visits)

    def sample_transitions(self, rng: Generator) -> Tensor:
        weights = torch._standard_gamma(1 + self.counts, generator=rng)
        return weights / weights.sum(-1, keepdim=True)

    def sample_rewards(self, rng: Generator) -> Tensor:
        noise = torch.randn(self.visits.shape, generator=rng)
        return self.mean_rewards() + noise / (1 + self.visits).sqrt()


def prior(spec: Spec, lanes: int, mean: float) -> Posterior:
    """Nothing seen yet; `mean` is μ₀."""
    shape = (lanes, spec.obs, spec.actions)
    return Posterior(torch.zeros(*shape, spec.obs), torch.zeros(shape), torch.full(shape, mean))
