"""Inverse RL with known dynamics: demonstrations of each task are explained by a reward.

By default (`scratch`) each held-out task is solved by itself; under `meta` a prior over rewards, or the
network that every task starts from, is first learned on training tasks.
"""

from functools import partial

from metairl.core.types import Part
from metairl.methods.method import FINITE_MDP, Method
from metairl.rewards.irl import deep_maxent, max_margin, maxent, projection, tabular_bc
from metairl.training import irl_prior

PRIOR = Part(irl_prior.IRLPrior, irl_prior.Config())
LEARNED_START = Part(deep_maxent.DeepMaxEnt, deep_maxent.Config(decay=100.0))  # λ where θ₀ is learned

known_dynamics = partial(
    Method, problem="known-dynamics", support="demos", envs=FINITE_MDP, regimes={"scratch": {}}
)

METHODS = {
    "tabular-bc": known_dynamics("Behavioural cloning by counting", "", Part(tabular_bc.TabularBC)),
    "max-margin": known_dynamics(
        "Max-margin IRL", "Ratliff et al. 2006", Part(max_margin.MaxMargin, max_margin.Config())
    ),
    "projection": known_dynamics(
        "Apprenticeship learning by projection",
        "Abbeel & Ng 2004",
        Part(projection.Projection, projection.Config()),
    ),
    "maxent-irl": known_dynamics(
        "Maximum-entropy IRL",
        "Ziebart et al. 2008",
        Part(maxent.MaxEnt, maxent.Config()),
        regimes={"scratch": {}, "meta": {"recipe": PRIOR, "steps": 300}},
    ),
    "deep-maxent": known_dynamics(
        "Deep maximum-entropy IRL",
        "arXiv:1507.04888",
        Part(deep_maxent.DeepMaxEnt, deep_maxent.Config()),
        regimes={"scratch": {}, "meta": {"recipe": PRIOR, "steps": 300, "learner": LEARNED_START}},
    ),
}
