"""A reward that says how likely a state is one of success (Fu et al. 2018, VICE, arXiv:1805.11686).

    f(z),   p = σ(f)                                        p near 1: this looks like success
    L = E_S[ −log p ] + E_π[ −log(1 − p) ]                  as many examples as visited states
    r = p                       form = "chance"
        log p                   form = "log", never above 0
        f = log p − log(1 − p)  form = "logit", without bounds

With as many of both, p of an example is ½ or more whatever π comes to visit: where all that it visits looks
like success, p is ½ there.

Departures: p reads states alone; the paper's −log π(a | z), which makes p a ratio to the policy, is left to
the learner's bonus of entropy.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from metairl.core.types import Spec
from metairl.rewards.adversarial.absorbing import AbsorbingMLP, DiscriminatorBatch, RewardConfig, expected


@dataclass(frozen=True)
class Config(RewardConfig):
    form: Literal["chance", "log", "logit"] = "chance"
    hidden: tuple[int, ...] = (64, 64)  # layers of f


class SuccessClassifier(nn.Module):
    whole = False

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.f = AbsorbingMLP(width, config.hidden)

    def losses(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> dict[str, Tensor]:
        rest = self.f.absorbing()
        return {
            "shown": expected(softplus(-self.f(shown.z)), softplus(-rest), shown),
            "lived": expected(softplus(self.f(lived.z)), softplus(rest), lived),
        }

    def policy_reward(self, deeds: DiscriminatorBatch) -> Tensor:
        return self.recovered_reward(deeds.z, deeds.action)

    def absorbing_reward(self) -> Tensor:
        return self._paid(self.f.absorbing())

    def recovered_reward(self, z: Tensor, action: Tensor) -> Tensor:
        return self._paid(self.f(z))

    def probability(self, z: Tensor) -> Tensor:
        """p, [B, T]."""
        chance: Tensor = self.f(z).sigmoid()
        return chance

    def _paid(self, logit: Tensor) -> Tensor:
        match self.config.form:
            case "log":
                return logsigmoid(logit)
            case "chance":
                return logit.sigmoid()
        return logit
