"""Actionable models (Chebotar et al. 2021, arXiv:2104.07749): a conservative Q of reaching goals.

    y    = r + γ_t min_i Q̄_i(z′, a′),  a′ ~ π(z′);   r is w where the goal is reached, else 0, so 0 ≤ Q ≤ w
    L_Q  = E[ Σ_i (Q_i(z, a) − y)² ] / 2                                      eq. 2, first term
    L_Q += α E[ Σ_i Σ_j p_ij Q_i(z, ã_j)² ] / 2,   p_ij ∝ exp(Q_i(z, ã_j) / T)   eq. 2, second term
    L_π, L_α, Q̄ as in SAC

z holds the goal. ã_j: n of U[−1, 1]^A and n of π(z). CQL pushes down without end what the logs do not show;
here it is drawn to 0, the value of never arriving. No gradient reaches π or p through the second term.

Departures: an actor where the paper searches for the best action; the second term is the mean under p, by
which the paper draws one ã; the last step of a trial is followed by where it led, which chains trials to
goals of others as the paper's Q(s_T, a_T, g) does.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.agents.rl import sac
from metairl.core.losses import mean, softmax_weighted_squares
from metairl.core.networks import SquashedGaussian
from metairl.core.types import EncodedTransitions


@dataclass(frozen=True)
class Config(sac.Config):
    alpha: float = 0.1
    soft: bool = False
    weight: float = 1.0  # α of the second term
    actions: int = 5  # n
    temperature: float = 1.0  # T


class GoalCQL(sac.SAC):
    config: Config

    def _beside(
        self,
        m: EncodedTransitions,
        q: Tensor,
        policies: tuple[SquashedGaussian, SquashedGaussian],
        rng: Generator,
    ) -> dict[str, Tensor]:
        config = self.config
        action = self._drawn(m, policies[0], rng)
        z = m.z.unsqueeze(-2).expand(*action.shape[:-1], -1)
        unseen = self.critic(torch.cat([z, action], dim=-1))  # [2, B, T, 2n]
        pushed = softmax_weighted_squares(unseen, config.temperature).sum(0)
        return {"unseen": config.weight * mean(pushed, m.mask)}

    @torch.no_grad()
    def _drawn(self, m: EncodedTransitions, policy: SquashedGaussian, rng: Generator) -> Tensor:
        """[B, T, 2n, A]."""
        shape = (*m.reward.shape, self.config.actions, m.action.shape[-1])
        anywhere = 2 * torch.rand(shape, generator=rng) - 1
        return torch.cat([anywhere, policy.repeat(shape[-2]).sample(rng)], dim=-2)
