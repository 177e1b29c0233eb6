"""Methods that learn from the reward of an environment, or by reaching goals that they propose."""

from functools import partial

from metairl.agents.rl import maml, multi_head, ppo, sac
from metairl.core.types import Part
from metairl.methods.method import ARM, CONTINUOUS, WITH_GOALS, Method
from metairl.training import off_policy, on_policy, self_play, uniform_goals, visited_goals

PPO = Part(ppo.PPO, ppo.Config())
SAC = Part(sac.SAC, sac.Config())
ON_POLICY = Part(on_policy.OnPolicy, on_policy.Config())
OFF_POLICY = Part(off_policy.OffPolicy, off_policy.Config())
IN_ONE_TASK = Part(off_policy.OffPolicy, off_policy.Config(tasks=1, trials=1, ratio=0.5, batch_tasks=1))

with_ppo = partial(Method, learner=PPO, recipe=ON_POLICY, problem="online")
with_sac = partial(Method, learner=SAC, recipe=OFF_POLICY, problem="online", envs=CONTINUOUS)
multi_headed = partial(Method, paper="arXiv:1910.10897", encoder="oracle", problem="online", envs=ARM)
reaching = partial(Method, learner=PPO, encoder="oracle", problem="online", support="task", envs=WITH_GOALS)

METHODS = {
    "ppo": with_ppo("PPO with any encoder", "arXiv:1707.06347", encoder="none", any_encoder=True),
    "rl2": with_ppo("RL²: recurrent PPO", "arXiv:1611.02779", encoder="rl2"),
    "snail": with_ppo("SNAIL: PPO with attention", "arXiv:1707.03141", encoder="snail"),
    "maml": Method(
        "MAML: one gradient step per task",
        "arXiv:1703.03400",
        Part(maml.MAML, maml.Config()),
        ON_POLICY,
        encoder="none",
        problem="online",
    ),
    "sac": with_sac(
        "SAC with any encoder",
        "arXiv:1812.05905",
        encoder="none",
        any_encoder=True,
        regimes={
            "meta": {},
            "fine-tune": {"any_encoder": False, "adapt": IN_ONE_TASK},
            "scratch": {"any_encoder": False, "adapt": IN_ONE_TASK, "pretrains": False},
        },
    ),
    "pearl": with_sac("PEARL: SAC with inferred context", "arXiv:1903.08254", encoder="pearl"),
    "rl2-sac": with_sac("Off-policy RL²", "arXiv:2110.05038", encoder="rl2"),
    "snail-sac": with_sac("Off-policy SNAIL", "arXiv:1707.03141", encoder="snail"),
    "ppo-heads": multi_headed(
        "Multi-head PPO", learner=Part(multi_head.HeadedPPO, ppo.Config()), recipe=ON_POLICY
    ),
    "sac-heads": multi_headed(
        "Multi-head SAC", learner=Part(multi_head.HeadedSAC, sac.Config()), recipe=OFF_POLICY
    ),
    "self-play": reaching(
        "Asymmetric self-play", "arXiv:1703.05407", recipe=Part(self_play.SelfPlay, self_play.Config())
    ),
    "uniform-goals": reaching(
        "Goals drawn uniformly", "", recipe=Part(uniform_goals.UniformGoals, uniform_goals.Config())
    ),
    "visited-goals": reaching(
        "Goals drawn from visited states",
        "",
        recipe=Part(visited_goals.VisitedGoals, visited_goals.Config()),
    ),
}
