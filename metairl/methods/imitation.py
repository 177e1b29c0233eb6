"""Methods that imitate demonstrations without known dynamics: offline, or with an environment."""

from functools import partial

from metairl.agents.imitation import iq_learn, iq_learn_discrete, pi_v
from metairl.agents.rl import sac
from metairl.core.types import Part
from metairl.methods.method import CONTINUOUS, DISCRETE, Method
from metairl.methods.offline import BC, meta_or_scratch
from metairl.methods.online import PPO
from metairl.rewards.adversarial import airl, gail, gcl
from metairl.rewards.adversarial.absorbing import RewardConfig
from metairl.training import adversarial_imitation, clare, off_policy_with_demos, offline

IMITATION = offline.ImitationConfig()
IQ_LEARN = Part(iq_learn.IQLearn, iq_learn.Config())

offline_imitation = partial(
    Method,
    recipe=Part(offline.Offline, IMITATION),
    encoder="none",
    any_encoder=True,
    problem="imitation",
    support="demos",
    regimes=meta_or_scratch(Part(offline.Offline, offline.ImitationConfig(batch_tasks=1, batch=256))),
)


def adversarial(title: str, paper: str, reward: RewardConfig) -> Method:
    recipe = Part(adversarial_imitation.AdversarialImitation, adversarial_imitation.Config(reward=reward))
    return Method(
        title,
        paper,
        PPO,
        recipe,
        encoder="none",
        any_encoder=True,
        problem="online-imitation",
        support="demos",
        regimes=meta_or_scratch(recipe),
    )


METHODS = {
    "bc-demos": offline_imitation("Behavioural cloning of demonstrations", "", BC),
    "pi-v": offline_imitation(
        "(π, V): policy and value from demonstrations", "arXiv:2409.01369", Part(pi_v.PiV, pi_v.Config())
    ),
    "iq-learn": offline_imitation("IQ-Learn, offline", "arXiv:2106.12142", IQ_LEARN, envs=CONTINUOUS),
    "iq-learn-discrete": offline_imitation(
        "IQ-Learn, offline, discrete actions",
        "arXiv:2106.12142",
        Part(iq_learn_discrete.DiscreteIQLearn, iq_learn_discrete.Config()),
        envs=DISCRETE,
    ),
    "iq-learn-online": offline_imitation(
        "IQ-Learn, with an environment",
        "arXiv:2106.12142",
        IQ_LEARN,
        recipe=Part(off_policy_with_demos.OffPolicyWithDemos, off_policy_with_demos.Config()),
        envs=CONTINUOUS,
        problem="online-imitation",
        regimes=meta_or_scratch(
            Part(off_policy_with_demos.OffPolicyWithDemos, off_policy_with_demos.Config())
        ),
    ),
    "gail": adversarial("GAIL: generative adversarial imitation", "arXiv:1606.03476", gail.Config()),
    "airl": adversarial("AIRL: adversarial inverse RL", "arXiv:1710.11248", airl.Config()),
    "gcl": adversarial("Guided cost learning", "arXiv:1603.00448", gcl.Config()),
    "clare": Method(
        "CLARE: conservative reward in a learned dynamics ensemble",
        "arXiv:2302.04782",
        Part(sac.SAC, sac.Config()),
        Part(clare.CLARE, clare.Config()),
        encoder="none",
        encoders=("none", "oracle"),
        problem="imitation",
        support="demos",
        envs=CONTINUOUS,
        regimes=meta_or_scratch(Part(clare.CLARE, clare.Config(batch_tasks=1, batch=256))),
    ),
}
