"""Methods that learn from logged transitions: with their reward, or relabelled with goals."""

from dataclasses import replace
from functools import partial
from typing import Any

from metairl.agents.offline import actionable_models, bc, cql, cql_discrete, iql, td3_bc
from metairl.agents.rl import sac
from metairl.core.types import Part
from metairl.data.hindsight import GoalSampling
from metairl.methods.method import CONTINUOUS, TABULAR, Method, Regime
from metairl.training import goal_conditioned_offline, mopo, offline

OFFLINE = Part(offline.Offline, offline.Config())
IN_ONE_TASK = Part(offline.Offline, offline.Config(batch_tasks=1, batch=256))
MOPO = Part(mopo.MOPO, mopo.Config())
BC, IQL = Part(bc.BC, bc.Config()), Part(iql.IQL, iql.Config())
GOALS = goal_conditioned_offline.Config()
REACHED_LATER = replace(GOALS, goals=GoalSampling(p_current=0.0, p_future=1.0, uniform=True))
ALONE: dict[str, Any] = {"any_encoder": False, "encoders": (), "pretrains": False}


def meta_or_scratch(recipe: Part) -> dict[Regime, dict[str, Any]]:
    """Regimes of a method that can also be trained on a held-out task's data alone, by this loop."""
    return {"meta": {}, "scratch": ALONE | {"adapt": recipe}}


from_logs = partial(
    Method,
    recipe=OFFLINE,
    encoder="none",
    any_encoder=True,
    problem="offline",
    support="logs",
    regimes=meta_or_scratch(IN_ONE_TASK),
)
to_goals = partial(
    Method,
    encoder="oracle",
    problem="offline-goals",
    support="logs",
    envs=CONTINUOUS,
)
goal_values = partial(
    to_goals,
    recipe=Part(goal_conditioned_offline.GoalConditionedOffline, GOALS),
    regimes={"meta": {}, "fine-tune": {"adapt": IN_ONE_TASK}},
)

METHODS = {
    "bc": from_logs("Behavioural cloning", "", BC),
    "iql": from_logs("Implicit Q-learning", "arXiv:2110.06169", IQL),
    "td3-bc": from_logs("TD3+BC", "arXiv:2106.06860", Part(td3_bc.TD3BC, td3_bc.Config()), envs=CONTINUOUS),
    "cql": from_logs(
        "Conservative Q-learning", "arXiv:2006.04779", Part(cql.CQL, cql.Config()), envs=CONTINUOUS
    ),
    "cql-discrete": from_logs(
        "Conservative Q-learning, discrete actions",
        "arXiv:2006.04779",
        Part(cql_discrete.DiscreteCQL, cql_discrete.Config()),
        envs=TABULAR,
    ),
    "mopo": Method(
        "MOPO: SAC in a learned dynamics ensemble",
        "arXiv:2005.13239",
        Part(sac.SAC, sac.Config()),
        MOPO,
        encoder="none",
        encoders=("none", "oracle"),
        problem="offline",
        support="logs",
        envs=CONTINUOUS,
        regimes=meta_or_scratch(Part(mopo.MOPO, mopo.Config(batch_tasks=1, batch=256))),
    ),
    "gc-bc": to_goals(
        "Goal-conditioned behavioural cloning",
        "arXiv:1912.06088",
        BC,
        Part(goal_conditioned_offline.GoalConditionedOffline, REACHED_LATER),
    ),
    "gc-iql": goal_values("Goal-conditioned implicit Q-learning", "arXiv:2110.06169", IQL),
    "actionable-models": goal_values(
        "Actionable models: goal-conditioned CQL",
        "arXiv:2104.07749",
        Part(actionable_models.ActionableModels, actionable_models.Config()),
    ),
}
