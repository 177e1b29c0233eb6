"""Methods whose reward is learned from comparisons of segments, or from examples of success."""

from functools import partial

from metairl.agents.rl import sac
from metairl.core.types import Part
from metairl.methods.method import CONTINUOUS, WITH_GOALS, Method
from metairl.methods.offline import IQL, meta_or_scratch
from metairl.methods.online import PPO
from metairl.rewards.preferences import constitution_teacher
from metairl.training import offline_preferences, preference_queries, preferences, vice

BY_CONSTITUTION = preference_queries.Config(teacher=constitution_teacher.Config())
OFFLINE = Part(offline_preferences.OfflinePreferences, offline_preferences.Config())

compared = partial(
    Method,
    encoder="oracle",
    encoders=("oracle", "none", "care"),  # without a past: a trial has no reward that could inform one
    problem="online",
    support="preferences",
)
from_examples = partial(
    Method,
    learner=PPO,
    encoder="oracle",
    any_encoder=True,
    problem="examples",
    support="goals",
    envs=WITH_GOALS,
)

METHODS = {
    "preferences": compared(
        "Reward from comparisons, PPO",
        "arXiv:1706.03741",
        PPO,
        Part(preferences.OnPolicyPreferences, preferences.Config()),
    ),
    "preferences-sac": compared(
        "Reward from comparisons, SAC with relabelling (PEBBLE)",
        "arXiv:2106.05091",
        Part(sac.SAC, sac.Config()),
        Part(preferences.OffPolicyPreferences, preferences.OffPolicyConfig()),
        envs=CONTINUOUS,
    ),
    "rlaif": compared(
        "Reward from comparisons by a written constitution, PPO",
        "arXiv:2309.00267",
        PPO,
        Part(preferences.OnPolicyPreferences, preferences.Config(queries=BY_CONSTITUTION)),
        envs=(*WITH_GOALS, "locomotion"),
    ),
    "preferences-iql": Method(
        "Reward from comparisons of an offline dataset, IQL",
        "arXiv:2110.06169",
        IQL,
        OFFLINE,
        encoder="oracle",
        any_encoder=True,
        problem="offline-preferences",
        support="logs",
        regimes=meta_or_scratch(
            Part(
                offline_preferences.OfflinePreferences,
                offline_preferences.Config(batch_tasks=1, batch=256),
            )
        ),
    ),
    "goal-classifier": from_examples(
        "Success classifier trained once, before RL (baseline of VICE)",
        "",
        recipe=Part(vice.VICE, vice.Config(first_rounds=2000, frozen=True)),
    ),
    "vice": from_examples(
        "VICE: success classifier trained against visited states",
        "arXiv:1805.11686",
        recipe=Part(vice.VICE, vice.Config()),
    ),
}
