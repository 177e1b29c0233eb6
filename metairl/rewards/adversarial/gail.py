"""Generative adversarial imitation (Ho & Ermon 2016, arXiv:1606.03476).

    h(z, a),   D = σ(h)                                     D near 1: this was demonstrated
    L = E_E[ −log D ] + E_π[ −log(1 − D) ]
    r = h = log D − log(1 − D)         form = "both", of either sign
        −log(1 − D)                    form = "alive", never below 0: it pays to live long
        log D                          form = "done", never above 0: it pays to end soon

Episodes that end early go on at rest (deeds.py), where every form pays what D says of rest.
Once π does as was demonstrated, h is flat: what is left is no reward for others to learn from.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import AbsorbingMLP, DiscriminatorBatch, RewardConfig, expected


@dataclass(frozen=True)
class Config(RewardConfig):
    form: Literal["both", "alive", "done"] = "both"
    hidden: tuple[int, ...] = (64, 64)  # layers of h


class GAIL(nn.Module):
    whole = False

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.h = AbsorbingMLP(width + spec.actions, config.hidden)

    def losses(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> dict[str, Tensor]:
        rest = self.h.absorbing()
        return {
            "shown": expected(softplus(-self._logit(shown.z, shown.action)), softplus(-rest), shown),
            "lived": expected(softplus(self._logit(lived.z, lived.action)), softplus(rest), lived),
        }

    def policy_reward(self, deeds: DiscriminatorBatch) -> Tensor:
        return self.recovered_reward(deeds.z, deeds.action)

    def absorbing_reward(self) -> Tensor:
        return self._paid(self.h.absorbing())

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        return self._paid(self._logit(z, action))

    def _logit(self, z: Tensor, action: Tensor) -> Tensor:
        logit: Tensor = self.h(torch.cat([z, action], dim=-1))
        return logit

    def _paid(self, logit: Tensor) -> Tensor:
        match self.config.form:
            case "alive":
                return softplus(logit)
            case "done":
                return logsigmoid(logit)
        return logit
