"""The optimal policy acts by its plan, from the first step of every episode, and plans anew for a new task."""

import torch

from metairl.agents.exact.optimal import Optimal
from metairl.agents.exact.planning import HARD, plan
from metairl.core.rng import stream
from metairl.core.types import Context, NoConfig
from metairl.envs import make, spec_of
from metairl.tasks import catalogue, sampling
from metairl.tasks.finite_mdps import FINITE_MDPS

CARD = catalogue.task("random-mdp")
LANES = 5


def context(task: torch.Tensor, at: torch.Tensor, done: float) -> Context:
    spec = spec_of(CARD)
    obs = torch.eye(spec.obs)[at].unsqueeze(1)
    zero = torch.zeros(LANES, 1)
    return Context(obs, torch.zeros(LANES, 1, spec.actions), zero, zero + done, task)


def tasks(name: str) -> torch.Tensor:
    return make(CARD, sampling.sample_tasks(CARD, LANES, stream(name)), stream("world")).task


def test_it_follows_its_plan_and_starts_again_with_every_episode() -> None:
    spec, task = spec_of(CARD), tasks("tasks")
    mdp = FINITE_MDPS[spec.finite_mdp](task, spec.obs, spec.actions)
    best = plan(mdp.mdp, mdp.reward, spec.horizon, HARD).policy.argmax(-1)
    policy, rng, lanes = Optimal(spec, NoConfig()), stream("act"), torch.arange(LANES)
    state = policy.initial(LANES)
    for step in range(2 * spec.horizon):
        at = torch.randint(spec.obs, (LANES,), generator=rng)
        restarts = step == spec.horizon
        action, state = policy.act(context(task, at, float(restarts)), state, rng)
        assert torch.equal(action, best[lanes, step % spec.horizon, at])


def test_a_new_task_has_a_new_plan() -> None:
    spec, rng = spec_of(CARD), stream("act")
    policy = Optimal(spec, NoConfig())
    state, at = policy.initial(LANES), torch.zeros(LANES, dtype=torch.long)
    _, state = policy.act(context(tasks("one"), at, 0.0), state, rng)
    _, again = policy.act(context(tasks("other"), at, 1.0), state, rng)
    assert not torch.equal(state[0], again[0])
    assert torch.equal(
        again[0], policy.act(context(tasks("other"), at, 0.0), policy.initial(LANES), rng)[1][0]
    )
