"""Actionable models (Chebotar et al. 2021, arXiv:2104.07749): goal-conditioned Q-learning with a conservative term.

    y    = r + γ_t min_i Q̄_i(z′, a′),  a′ ~ π(z′);   r = w if the goal is reached, else 0, so 0 ≤ Q ≤ w
    L_Q  = E[ Σ_i (Q_i(z, a) − y)² ] / 2                                      eq. 2, first term
    L_Q += α E[ Σ_i Σ_j p_ij Q_i(z, ã_j)² ] / 2,   p_ij ∝ exp(Q_i(z, ã_j) / T)   eq. 2, second term
    L_π, L_α, Q̄ as in SAC

z includes the goal. ã_j: n samples of U[−1, 1]^A and n of π(z). CQL pushes Q at unseen actions down without bound;
here it is drawn to 0, the value of never reaching the goal. The second term trains neither π nor p.

Departures: an actor, where the paper searches for the best action; the second term is the expectation under p, where
the paper samples one ã; the last transition of a trial bootstraps from its next observation, which chains trials to
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
    alpha: float = 0.1  # initial temperature of the policy
    soft: bool = False  # entropy bonus in the target
    weight: float = 1.0  # weight of the conservative term (α)
    actions: int = 5  # sampled actions of each kind (n)
    temperature: float = 1.0  # temperature of p (T)


class ActionableModels(sac.SAC):
    config: Config

    def _extra_losses(
        self,
        batch: EncodedTransitions,
        q: Tensor,
        policies: tuple[SquashedGaussian, SquashedGaussian],
        rng: Generator,
    ) -> dict[str, Tensor]:
        config = self.config
        action = self._sampled_actions(batch, policies[0], rng)
        z = batch.z.unsqueeze(-2).expand(*action.shape[:-1], -1)
        unseen = self.critic(torch.cat([z, action], dim=-1))  # [2, B, T, 2n]
        pushed = softmax_weighted_squares(unseen, config.temperature).sum(0)
        return {"unseen": config.weight * mean(pushed, batch.mask)}

    @torch.no_grad()
    def _sampled_actions(self, batch: EncodedTransitions, policy: SquashedGaussian, rng: Generator) -> Tensor:
        """ã, [B, T, 2n, A]."""
        shape = (*batch.reward.shape, self.config.actions, batch.action.shape[-1])
        uniform = 2 * torch.rand(shape, generator=rng) - 1
        return torch.cat([uniform, policy.repeat(shape[-2]).sample(rng)], dim=-2)
