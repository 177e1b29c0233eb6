"""METHODS: a name to the combination it stands for, its paper and what it may have from a held-out task.

A learned method is encoder × learner × recipe. An exact method is a learner alone: nothing is trained,
its numbers are computed. A line here is all it takes to be listed, trained, judged and contract-tested.
"""

from dataclasses import replace
from functools import partial

from metairl.agents.exact import bandits as rules
from metairl.agents.exact import (
    baselines,
    bayes_bandit,
    gittins,
    metaworld_expert,
    optimal,
    point_expert,
    shortest_path,
    token_expert,
    zero,
)
from metairl.agents.exact import tabular as plans
from metairl.agents.imitation import iq_learn, iq_learn_discrete, pi_v
from metairl.agents.offline import actionable_models, bc, cql, cql_discrete, iql, td3_bc
from metairl.agents.rl import maml, multi_head, ppo, sac
from metairl.core.errors import UsageError, nearest
from metairl.core.types import NoConfig
from metairl.methods.method import Method
from metairl.rewards.irl import deep_maxent, max_margin, maxent, projection, tabular_bc
from metairl.tasks.finite_mdps import FINITE_MDPS
from metairl.training import (
    adversarial_imitation,
    clare,
    goal_conditioned_offline,
    irl_prior,
    mopo,
    off_policy,
    off_policy_with_demos,
    offline,
    offline_preferences,
    on_policy,
    preferences,
    self_play,
    uniform_goals,
    vice,
    visited_goals,
)

FINITE_MDP_ENVS = tuple(FINITE_MDPS)
BANDIT, TABULAR, GRID, MAZE = ("bandit",), ("tabular",), ("maze-grid",), ("maze",)
DISCRETE = ("cart-pole", "acrobot", "lander", "tokens", *TABULAR, *FINITE_MDP_ENVS)
POINT, ARM = ("point", "point-sparse"), ("meta-world",)
WITH_GOALS = (*POINT, "point-maze")
CONTINUOUS = (*WITH_GOALS, "locomotion", *ARM)
PPO = (ppo.PPO, ppo.Config)
MAML = (maml.MAML, maml.Config)
ON_POLICY = (on_policy.OnPolicy, on_policy.Config)
SAC = (sac.SAC, sac.Config)
OFF_POLICY = (off_policy.OffPolicy, off_policy.Config)
OFFLINE = (offline.Offline, offline.Config)
FROM_SHOWN = (offline.Offline, offline.Shown)
FROM_MIXED = (offline.Offline, offline.Mixed)
TENTH = (offline.Offline, offline.Tenth)
IMAGINED = (mopo.MOPO, mopo.Config)
ALONE = off_policy.Config(tasks=1, trials=1, ratio=0.5, batch_tasks=1)  # in a single task
MAXENT = (maxent.MaxEnt, maxent.Config)
DEEP_MAXENT = (deep_maxent.DeepMaxEnt, deep_maxent.Config)
DEEP_LEARNED = (deep_maxent.DeepMaxEnt, deep_maxent.Learned)
PRIOR = (irl_prior.IRLPrior, irl_prior.Config)
IQ_LEARN = (iq_learn.IQLearn, iq_learn.Config)
BESIDE_DEMOS = (off_policy_with_demos.OffPolicyWithDemos, off_policy_with_demos.Config)
from_demos = partial(Method, support="demos", envs=FINITE_MDP_ENVS)
TELLING = ("oracle", "none", "care")  # encoders without a past: what no reward in a trial could lead to
with_heads = partial(Method, paper="arXiv:1910.10897", encoder="oracle", envs=ARM)
compared = partial(Method, encoder="oracle", encoders=TELLING, support="preferences")
exemplified = partial(
    Method, learner=PPO, encoder="oracle", any_encoder=True, support="goals", envs=WITH_GOALS
)
reacher = partial(Method, learner=PPO, encoder="oracle", support="told", envs=WITH_GOALS)
in_a_model = partial(Method, learner=SAC, encoder="none", encoders=("none", "oracle"), envs=CONTINUOUS)
imitator = partial(Method, recipe=FROM_SHOWN, encoder="none", any_encoder=True, support="demos")
adversary = partial(Method, learner=PPO, encoder="none", any_encoder=True, support="demos")
from_logs = partial(Method, recipe=OFFLINE, encoder="none", any_encoder=True, support="logs")
to_goals = partial(
    Method,
    recipe=(goal_conditioned_offline.GoalConditionedOffline, goal_conditioned_offline.Config),
    encoder="oracle",
    support="logs",
    envs=CONTINUOUS,
)

METHODS: dict[str, Method] = {
    "ppo": Method(
        "PPO with any encoder", "arXiv:1707.06347", PPO, ON_POLICY, encoder="none", any_encoder=True
    ),
    "rl2": Method("RL²: recurrent PPO", "arXiv:1611.02779", PPO, ON_POLICY, encoder="rl2"),
    "rl2-lstm": Method("RL² with an LSTM", "arXiv:1611.02779", PPO, ON_POLICY, encoder="rl2-lstm"),
    "snail": Method("SNAIL: attentive PPO", "arXiv:1707.03141", PPO, ON_POLICY, encoder="snail"),
    "sac": Method(
        "SAC with any encoder",
        "arXiv:1812.05905",
        SAC,
        OFF_POLICY,
        encoder="none",
        any_encoder=True,
        envs=CONTINUOUS,
    ),
    "ppo-heads": with_heads(
        title="PPO, a head for every skill", learner=(multi_head.HeadedPPO, ppo.Config), recipe=ON_POLICY
    ),
    "sac-heads": with_heads(
        title="SAC, a head for every skill", learner=(multi_head.HeadedSAC, sac.Config), recipe=OFF_POLICY
    ),
    "pearl": Method(
        "PEARL: inferred context, SAC",
        "arXiv:1903.08254",
        SAC,
        OFF_POLICY,
        encoder="pearl",
        envs=CONTINUOUS,
    ),
    "rl2-sac": Method("Off-policy RL²", "arXiv:2110.05038", SAC, OFF_POLICY, encoder="rl2", envs=CONTINUOUS),
    "snail-sac": Method(
        "Off-policy SNAIL", "arXiv:1707.03141", SAC, OFF_POLICY, encoder="snail", envs=CONTINUOUS
    ),
    "fine-tune": Method(
        "SAC on all tasks, then on the held-out one",
        "arXiv:1812.05905",
        SAC,
        OFF_POLICY,
        encoder="none",
        adapts=ALONE,
        envs=CONTINUOUS,
    ),
    "scratch": Method(
        "SAC on the held-out task alone",
        "arXiv:1812.05905",
        SAC,
        OFF_POLICY,
        encoder="none",
        pretrains=False,
        adapts=ALONE,
        envs=CONTINUOUS,
    ),
    "preferences": compared(
        title="A reward from comparisons, PPO",
        paper="arXiv:1706.03741",
        learner=PPO,
        recipe=(preferences.OnPolicyPreferences, preferences.Truth),
    ),
    "preferences-sac": compared(
        title="A reward from comparisons, SAC",
        paper="arXiv:2106.05091",
        learner=SAC,
        recipe=(preferences.OffPolicyPreferences, preferences.Relabelled),
        envs=CONTINUOUS,
    ),
    "preferences-sac-uniform": compared(
        title="The same, asked about any pairs",
        paper="arXiv:2106.05091",
        learner=SAC,
        recipe=(preferences.OffPolicyPreferences, preferences.Anyhow),
        envs=CONTINUOUS,
    ),
    "rlaif": compared(
        title="A reward from a judge with written principles, PPO",
        paper="arXiv:2309.00267",
        learner=PPO,
        recipe=(preferences.OnPolicyPreferences, preferences.Judged),
        envs=(*WITH_GOALS, "locomotion"),
    ),
    "preferences-iql": compared(
        title="A reward from comparisons of logs, IQL",
        paper="arXiv:2110.06169",
        learner=(iql.IQL, iql.Config),
        recipe=(offline_preferences.OfflinePreferences, offline_preferences.Config),
        encoders=(),
        any_encoder=True,
        support="logs",
    ),
    "goal-classifier": exemplified(
        title="A classifier of success, fitted in advance", paper="", recipe=(vice.VICE, vice.Naive)
    ),
    "vice": exemplified(
        title="VICE: a classifier of success that learns what is visited",
        paper="arXiv:1805.11686",
        recipe=(vice.VICE, vice.Vice),
    ),
    "self-play": reacher(
        "Asymmetric self-play", "arXiv:1703.05407", recipe=(self_play.SelfPlay, self_play.Config)
    ),
    "uniform-goals": reacher(
        "Goals drawn evenly", "", recipe=(uniform_goals.UniformGoals, uniform_goals.Config)
    ),
    "hindsight-only": reacher(
        "Goals where it was itself", "", recipe=(visited_goals.VisitedGoals, visited_goals.Config)
    ),
    "bc": from_logs("Behavioural cloning", "", (bc.BC, bc.Config)),
    "bc-tenth": from_logs("Behavioural cloning of the best tenth", "", (bc.BC, bc.Config), recipe=TENTH),
    "iql": from_logs("Implicit Q-learning", "arXiv:2110.06169", (iql.IQL, iql.Config)),
    "td3-bc": from_logs("TD3+BC", "arXiv:2106.06860", (td3_bc.TD3BC, td3_bc.Config), envs=CONTINUOUS),
    "cql": from_logs("Conservative Q-learning", "arXiv:2006.04779", (cql.CQL, cql.Config), envs=CONTINUOUS),
    "cql-discrete": from_logs(
        "Conservative Q-learning, discrete actions",
        "arXiv:2006.04779",
        (cql_discrete.DiscreteCQL, cql_discrete.Config),
        envs=TABULAR,
    ),
    "mopo": in_a_model(
        title="MOPO: SAC in a learned world", paper="arXiv:2005.13239", recipe=IMAGINED, support="logs"
    ),
    "gc-bc": to_goals(
        title="Cloning towards what was reached",
        paper="arXiv:1912.06088",
        learner=(bc.BC, bc.Config),
        recipe=(goal_conditioned_offline.GoalConditionedOffline, goal_conditioned_offline.Reached),
    ),
    "gc-iql": to_goals(
        title="Implicit Q-learning of goals", paper="arXiv:2110.06169", learner=(iql.IQL, iql.Config)
    ),
    "gc-cql": to_goals(
        title="Actionable models: a conservative Q of goals",
        paper="arXiv:2104.07749",
        learner=(actionable_models.GoalCQL, actionable_models.Config),
    ),
    "bc-demos": imitator("Behavioural cloning of demonstrations", "", (bc.BC, bc.Config)),
    "bc-mixed": imitator("Behavioural cloning of all logs", "", (bc.BC, bc.Config), recipe=FROM_MIXED),
    "pi-v": imitator("Imitation by policy and value", "arXiv:2409.01369", (pi_v.PiV, pi_v.Config)),
    "iq-learn": imitator("IQ-Learn, offline", "arXiv:2106.12142", IQ_LEARN, envs=CONTINUOUS),
    "iq-learn-mixed": imitator(
        "IQ-Learn, offline, of all logs", "arXiv:2106.12142", IQ_LEARN, recipe=FROM_MIXED, envs=CONTINUOUS
    ),
    "iq-learn-discrete": imitator(
        "IQ-Learn, offline, discrete actions",
        "arXiv:2106.12142",
        (iq_learn_discrete.DiscreteIQLearn, iq_learn_discrete.Config),
        envs=DISCRETE,
    ),
    "iq-learn-online": imitator(
        "IQ-Learn, in the world", "arXiv:2106.12142", IQ_LEARN, recipe=BESIDE_DEMOS, envs=CONTINUOUS
    ),
    "gail": adversary(
        "Generative adversarial imitation",
        "arXiv:1606.03476",
        recipe=(adversarial_imitation.AdversarialImitation, adversarial_imitation.GAIL),
    ),
    "airl": adversary(
        "Adversarial inverse RL",
        "arXiv:1710.11248",
        recipe=(adversarial_imitation.AdversarialImitation, adversarial_imitation.AIRL),
    ),
    "gcl": adversary(
        "Guided cost learning",
        "arXiv:1603.00448",
        recipe=(adversarial_imitation.AdversarialImitation, adversarial_imitation.GCL),
    ),
    "clare": in_a_model(
        title="CLARE: conservative reward in a learned world",
        paper="arXiv:2302.04782",
        recipe=(clare.CLARE, clare.Config),
        support="demos",
    ),
    "clare-equal": in_a_model(
        title="CLARE with all weights equal",
        paper="arXiv:2302.04782",
        recipe=(clare.CLARE, clare.Equal),
        support="demos",
    ),
    "copied": from_demos("Behavioural cloning by counting", "", (tabular_bc.TabularBC, NoConfig)),
    "max-margin": from_demos(
        "Max-margin IRL", "Ratliff et al. 2006", (max_margin.MaxMargin, max_margin.Config)
    ),
    "max-margin-structured": from_demos(
        "Max-margin IRL, structured", "Ratliff et al. 2006", (max_margin.MaxMargin, max_margin.Structured)
    ),
    "projection": from_demos(
        "Apprenticeship by projection", "Abbeel & Ng 2004", (projection.Projection, projection.Config)
    ),
    "maxent-irl": from_demos("Maximum-entropy IRL", "Ziebart et al. 2008", MAXENT),
    "deep-maxent": from_demos("Deep maximum-entropy IRL", "arXiv:1507.04888", DEEP_MAXENT),
    "maxent-irl-meta": from_demos(
        "Maximum-entropy IRL, prior learned", "Ziebart et al. 2008", MAXENT, recipe=PRIOR, steps=300
    ),
    "deep-maxent-meta": from_demos(
        "Deep maximum-entropy IRL, start learned", "arXiv:1507.04888", DEEP_LEARNED, recipe=PRIOR, steps=300
    ),
    "optimal": Method(
        "The best there is, told", "bound", (optimal.Optimal, NoConfig), envs=FINITE_MDP_ENVS, sees_task=True
    ),
    "maml": Method("MAML: a gradient step per task", "arXiv:1703.03400", MAML, ON_POLICY, encoder="none"),
    "random": Method("Random actions", "", (baselines.Random, NoConfig)),
    "zero": Method("Nothing is done", "", (zero.Zero, NoConfig)),
    "thompson": Method("Thompson sampling", "Thompson 1933", (rules.Thompson, NoConfig), envs=BANDIT),
    "ots": Method("Optimistic Thompson", "May et al. 2012", (rules.OTS, NoConfig), envs=BANDIT),
    "ucb1": Method("UCB1", "Auer et al. 2002", (rules.UCB1, rules.UCB1Config), envs=BANDIT),
    "epsilon-greedy": Method("ε-greedy", "", (rules.EpsilonGreedy, rules.EpsilonConfig), envs=BANDIT),
    "greedy": Method("Greedy", "", (rules.Greedy, NoConfig), envs=BANDIT),
    "gittins": Method("Gittins index", "Gittins 1979", (gittins.Gittins, NoConfig), envs=BANDIT),
    "bayes-optimal": Method(
        "Bayes optimum", "dynamic programming", (bayes_bandit.BayesBandit, NoConfig), envs=BANDIT
    ),
    "best-arm": Method("Best arm, told", "bound", (rules.BestArm, NoConfig), envs=BANDIT, sees_task=True),
    "psrl": Method("Posterior sampling", "arXiv:1306.0940", (plans.PSRL, plans.PSRLConfig), envs=TABULAR),
    "opsrl": Method("Optimistic PSRL", "arXiv:1607.00215", (plans.OPSRL, plans.OPSRLConfig), envs=TABULAR),
    "ucrl2": Method("UCRL2", "Jaksch et al. 2010", (plans.UCRL2, plans.UCRL2Config), envs=TABULAR),
    "beb": Method("Bayesian bonus", "Kolter & Ng 2009", (plans.BEB, plans.BEBConfig), envs=TABULAR),
    "mdp-epsilon-greedy": Method(
        "ε-greedy on the mean model", "", (plans.EpsilonGreedy, rules.EpsilonConfig), envs=TABULAR
    ),
    "mdp-greedy": Method("Greedy on the mean model", "", (plans.Greedy, NoConfig), envs=TABULAR),
    "shortest-path": Method(
        "Shortest path, told", "bound", (shortest_path.ShortestPath, NoConfig), envs=GRID, sees_task=True
    ),
    "shortest-walk": Method(
        "Shortest path in first person, told",
        "bound",
        (shortest_path.ShortestWalk, NoConfig),
        envs=MAZE,
        sees_task=True,
    ),
    "any-right": Method(
        "Any right sentence, told",
        "bound",
        (token_expert.AnyRight, NoConfig),
        envs=("tokens",),
        sees_task=True,
    ),
    "straight": Method(
        "Straight to the goal, told", "bound", (point_expert.Straight, NoConfig), envs=POINT, sees_task=True
    ),
    "scripted": Method(
        "Scripted expert, told",
        "arXiv:1910.10897",
        (metaworld_expert.Scripted, NoConfig),
        envs=ARM,
        sees_task=True,
    ),
    "value-iteration": Method(
        "Value iteration, told",
        "bound",
        (plans.ValueIteration, NoConfig),
        envs=TABULAR,
        sees_task=True,
    ),
}

METHODS |= {  # the same from logs or demonstrations of the held-out task alone
    f"{name}-alone": replace(
        method,
        title=f"{method.title}, the held-out task alone",
        any_encoder=False,
        encoders=(),
        pretrains=False,
        adapts=method.recipe[1](batch_tasks=1, batch=256)
        if issubclass(method.recipe[0], offline.Offline)
        else method.recipe[1](),
    )
    for name, method in METHODS.items()
    if method.recipe and (method.support == "logs" or method.imitates) and not method.chooses_goals
}

METHODS |= {  # what knows how to reach goals, then paid for the held-out task
    f"{name}-tuned": replace(
        METHODS[name],
        title=f"{METHODS[name].title}, then the held-out task's reward",
        adapts=offline.Config(batch_tasks=1, batch=256),
        onwards=offline.Offline,
    )
    for name in ("gc-iql", "gc-cql")
}


def find(name: str) -> Method:
    if name not in METHODS:
        raise UsageError(f"no method '{name}'; {nearest(name, METHODS)}")
    return METHODS[name]
