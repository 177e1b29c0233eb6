"""Methods whose numbers are computed, not trained: baselines, bandit and tabular algorithms, bounds."""

from functools import partial

from metairl.agents.exact import (
    bandits,
    baselines,
    bayes_bandit,
    gittins,
    metaworld_expert,
    optimal,
    point_expert,
    shortest_path,
    tabular,
    token_expert,
)
from metairl.core.types import Part
from metairl.methods.method import ARM, BANDIT, FINITE_MDP, GRID, MAZE, POINT, TABULAR, TOKENS, Method

bandit = partial(Method, envs=BANDIT)
mdp = partial(Method, envs=TABULAR)
bound = partial(Method, paper="bound", sees_task=True)

METHODS = {
    "random": Method("Random actions", "", Part(baselines.Random)),
    "zero": Method("The zero action", "", Part(baselines.Zero)),
    "thompson": bandit("Thompson sampling", "Thompson 1933", Part(bandits.Thompson)),
    "ots": bandit("Optimistic Thompson sampling", "May et al. 2012", Part(bandits.OTS)),
    "ucb1": bandit("UCB1", "Auer et al. 2002", Part(bandits.UCB1, bandits.UCB1Config())),
    "epsilon-greedy": bandit("ε-greedy", "", Part(bandits.EpsilonGreedy, bandits.EpsilonConfig())),
    "greedy": bandit("Greedy", "", Part(bandits.Greedy)),
    "gittins": bandit("Gittins index", "Gittins 1979", Part(gittins.Gittins)),
    "bayes-optimal": bandit("Bayes optimum", "dynamic programming", Part(bayes_bandit.BayesBandit)),
    "best-arm": bound("Best arm, given the task", learner=Part(bandits.BestArm), envs=BANDIT),
    "psrl": mdp("Posterior sampling", "arXiv:1306.0940", Part(tabular.PSRL, tabular.PSRLConfig())),
    "opsrl": mdp("Optimistic PSRL", "arXiv:1607.00215", Part(tabular.OPSRL, tabular.OPSRLConfig())),
    "ucrl2": mdp("UCRL2", "Jaksch et al. 2010", Part(tabular.UCRL2, tabular.UCRL2Config())),
    "beb": mdp("Bayesian exploration bonus", "Kolter & Ng 2009", Part(tabular.BEB, tabular.BEBConfig())),
    "mdp-epsilon-greedy": mdp(
        "ε-greedy on the mean model", "", Part(tabular.EpsilonGreedy, bandits.EpsilonConfig())
    ),
    "mdp-greedy": mdp("Greedy on the mean model", "", Part(tabular.Greedy)),
    "value-iteration": bound(
        "Value iteration, given the task", learner=Part(tabular.ValueIteration), envs=TABULAR
    ),
    "optimal": bound("Optimal policy, given the task", learner=Part(optimal.Optimal), envs=FINITE_MDP),
    "shortest-path": bound(
        "Shortest path, given the task", learner=Part(shortest_path.ShortestPath), envs=GRID
    ),
    "shortest-walk": bound(
        "Shortest path in first person, given the task",
        learner=Part(shortest_path.ShortestWalk),
        envs=MAZE,
    ),
    "token-expert": bound(
        "Uniform over correct completions, given the task",
        learner=Part(token_expert.AnyRight),
        envs=TOKENS,
    ),
    "point-expert": bound(
        "Straight to the goal, given the task", learner=Part(point_expert.Straight), envs=POINT
    ),
    "scripted": Method(
        "Meta-World's scripted expert, given the task",
        "arXiv:1910.10897",
        Part(metaworld_expert.Scripted),
        envs=ARM,
        sees_task=True,
    ),
}
