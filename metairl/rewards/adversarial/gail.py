"""Generative adversarial imitation learning (Ho & Ermon 2016, arXiv:1606.03476).

    h(z, a),   D = σ(h)                                     discriminator: D near 1 for the expert
    L = E_E[ −log D ] + E_π[ −log(1 − D) ]
    r = h = log D − log(1 − D)         form = "logit", of either sign
        −log(1 − D)                    form = "positive": a bonus for staying alive
        log D                          form = "negative": a penalty for staying alive

Episodes that terminate early continue in an absorbing state (absorbing.py), which every form rewards by the
discriminator's output there. When π matches the expert, h is flat, so the reward does not transfer.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import (
    AbsorbingMLP,
    DiscriminatorBatch,
    RewardConfig,
    expectation,
    reward_gap,
)


@dataclass(frozen=True)
class Config(RewardConfig):
    form: Literal["logit", "positive", "negative"] = "logit"  # reward as a function of the discriminator
    hidden: tuple[int, ...] = (64, 64)  # hidden layers of the discriminator (h)


class GAIL(nn.Module):
    whole_trials = False

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.h = AbsorbingMLP(width + spec.actions, config.hidden)

    def losses(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        """Binary cross-entropy of the discriminator on either side."""
        absorbing = self.h.absorbing()
        expert_logit, policy_logit = (self._logit(d.z, d.action) for d in (expert, policy))
        return {
            "discriminator_expert": expectation(softplus(-expert_logit), softplus(-absorbing), expert),
            "discriminator_policy": expectation(softplus(policy_logit), softplus(absorbing), policy),
        }

    def policy_reward(self, batch: DiscriminatorBatch) -> Tensor:
        return self.recovered_reward(batch.z, batch.action)

    def absorbing_reward(self) -> Tensor:
        return self._reward(self.h.absorbing())

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        return self._reward(self._logit(z, action))

    def diagnostics(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        return reward_gap(self, expert, policy)

    def _logit(self, z: Tensor, action: Tensor) -> Tensor:
        logit: Tensor = self.h(torch.cat([z, action], dim=-1))
        return logit

    def _reward(self, logit: Tensor) -> Tensor:
        match self.config.form:
            case "positive":
                return softplus(logit)
            case "negative":
                return logsigmoid(logit)
        return logit
