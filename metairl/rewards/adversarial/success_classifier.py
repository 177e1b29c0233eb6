"""A classifier of success states as a reward (Fu et al. 2018, VICE, arXiv:1805.11686).

    f(z),   p = σ(f)                                        p near 1: the state looks like success
    L = E_S[ −log p ] + E_π[ −log(1 − p) ]                  equal numbers of examples and visited states
    r = p                       form = "probability"
        log p                   form = "log", never above 0
        f = log p − log(1 − p)  form = "logit", unbounded

With equal numbers on both sides, p of an example stays at ½ or above whatever π visits: it is ½ where every
visited state looks like success.

Departures: p depends on states alone; the paper's −log π(a | z), which makes p a ratio to the policy, is left
to the learner's entropy bonus. The default reward is p, where the paper has log p.
"""

from dataclasses import dataclass
from typing import Literal

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
    form: Literal["probability", "log", "logit"] = "probability"  # reward as a function of the classifier
    hidden: tuple[int, ...] = (64, 64)  # hidden layers of the classifier (f)


class SuccessClassifier(nn.Module):
    whole_trials = False

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.f = AbsorbingMLP(width, config.hidden)

    def losses(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        """Binary cross-entropy; `expert` holds examples of success, `policy` visited states."""
        absorbing = self.f.absorbing()
        return {
            "classifier_examples": expectation(softplus(-self.f(expert.z)), softplus(-absorbing), expert),
            "classifier_policy": expectation(softplus(self.f(policy.z)), softplus(absorbing), policy),
        }

    def policy_reward(self, batch: DiscriminatorBatch) -> Tensor:
        return self.recovered_reward(batch.z, batch.action)

    def absorbing_reward(self) -> Tensor:
        return self._reward(self.f.absorbing())

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        return self._reward(self.f(z))

    def diagnostics(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        return reward_gap(self, expert, policy)

    def probability(self, z: Tensor) -> Tensor:
        """p, [B, T]."""
        p: Tensor = self.f(z).sigmoid()
        return p

    def _reward(self, logit: Tensor) -> Tensor:
        match self.config.form:
            case "log":
                return logsigmoid(logit)
            case "probability":
                return logit.sigmoid()
        return logit
