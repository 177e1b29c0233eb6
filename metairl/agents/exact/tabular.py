"""The classical columns of RL²'s MDP table: build a model, plan the episode, follow the plan (A.2 there).

With the posterior of posterior.py, P̄ and m̄ its means, n visits, t steps so far, H the horizon,

    psrl       P, m ~ posterior                                       Strens 2000; Osband et al. 2013
    opsrl      Q = max of the Q of K posterior samples of (P, m)      Osband & Van Roy 2017
    ucrl2      r̂ + c √(7 ln(2SAt) / 2n),  P within c √(14 S ln(2At) / n) of P̂      Jaksch et al. 2010
    beb        P̄,  m̄ + β / (1 + n)                                   Kolter & Ng 2009
    greedy     P̄,  m̄
    ε-greedy   P̄,  m̄;  any action with probability ε
    bound      the true P and m, observed

The samplers' prior mean of rewards is μ₀, that of the tasks unless set. The printed PSRL and OPSRL columns
are those of the public TabulaRL agents, whose default is μ₀ = 0 (docs/methods/tabular.md).

Departures: every row plans for the H steps of an episode and plans anew at its start. UCRL2 uses the
posterior means as estimates, which are defined before the first visit, and counts the prior as one visit;
its confidence is scaled by c and has no δ. Ties go to the lowest action, which is any action, since the
tasks' law does not change when actions are renamed. Free parameters are chosen on tasks of the training law
(benchmarks/tuned).
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from metairl.agents.exact.bandits import EpsilonConfig
from metairl.agents.exact.dense_planning import (
    action_values,
    greedy,
    optimistic_value_iteration,
    value_iteration,
)
from metairl.agents.exact.tabular_posterior import Posterior, prior
from metairl.core.types import Context, NoConfig, Spec, State


@dataclass(frozen=True)
class PSRLConfig:
    prior_mean: float = 1.0  # μ₀; 0 gives the printed column


@dataclass(frozen=True)
class OPSRLConfig:
    samples: int = 10  # K
    prior_mean: float = 1.0  # μ₀; 0 gives the printed column


@dataclass(frozen=True)
class UCRL2Config:
    scale: float = 0.1  # c


@dataclass(frozen=True)
class BEBConfig:
    bonus: float = 2.0  # β


class PlanningRule:
    """Learns a posterior and follows a plan [B, H, S], which a subclass makes at every episode's start."""

    prior_mean = 1.0  # μ₀, as the tasks are drawn

    def __init__(self, spec: Spec, config: NoConfig):
        self.spec = spec

    def initial(self, lanes: int) -> State:
        known = prior(self.spec, lanes, self.prior_mean)
        plan = torch.zeros(lanes, self.spec.horizon, self.spec.obs, dtype=torch.int64)
        last, clock = torch.zeros(lanes, self.spec.obs), torch.zeros(lanes, dtype=torch.int64)
        return known.counts, known.visits, known.sums, plan, last, clock

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        counts, visits, sums, plan, last, clock = state
        known = Posterior(counts, visits, sums).after(last, context)
        clock = clock.where(context.prev_done[:, 0] == 0, 0)
        starts = clock == 0
        if starts.any():
            plan = self.plan(known, context, rng).where(starts[:, None, None], plan)
        now = context.obs[:, 0]
        action = plan[torch.arange(len(now)), clock, now.argmax(1)]
        return self.chosen(action, rng), (known.counts, known.visits, known.sums, plan, now, clock + 1)

    def plan(self, known: Posterior, context: Context, rng: Generator) -> Tensor:
        raise NotImplementedError

    def chosen(self, action: Tensor, rng: Generator) -> Tensor:
        return action


class PSRL(PlanningRule):
    def __init__(self, spec: Spec, config: PSRLConfig):
        self.spec = spec
        self.prior_mean = config.prior_mean

    def plan(self, known: Posterior, context: Context, rng: Generator) -> Tensor:
        transitions, rewards = known.sample_transitions(rng), known.sample_rewards(rng)
        return value_iteration(transitions, rewards, self.spec.horizon)[0]


class OPSRL(PlanningRule):
    def __init__(self, spec: Spec, config: OPSRLConfig):
        self.spec = spec
        self.samples = config.samples
        self.prior_mean = config.prior_mean

    def plan(self, known: Posterior, context: Context, rng: Generator) -> Tensor:
        best = self.sampled_values(known, rng)
        for _ in range(self.samples - 1):
            best = torch.maximum(best, self.sampled_values(known, rng))
        return greedy(best)[0]

    def sampled_values(self, known: Posterior, rng: Generator) -> Tensor:
        transitions, rewards = known.sample_transitions(rng), known.sample_rewards(rng)
        return action_values(transitions, rewards, self.spec.horizon)


class UCRL2(PlanningRule):
    def __init__(self, spec: Spec, config: UCRL2Config):
        self.spec = spec
        self.scale = config.scale

    def plan(self, known: Posterior, context: Context, rng: Generator) -> Tensor:
        return self.optimistic(known)[0]

    def optimistic(self, known: Posterior) -> tuple[Tensor, Tensor]:
        """The plan and the value of the best MDP that is still plausible."""
        states, actions = self.spec.obs, self.spec.actions
        visits = 1 + known.visits
        time = known.visits.sum((1, 2)).clamp(min=1)[:, None, None]
        bonus = self.scale * (7 * (2 * states * actions * time).log() / (2 * visits)).sqrt()
        radius = self.scale * (14 * states * (2 * actions * time).log() / visits).sqrt()
        rewards = known.mean_rewards() + bonus
        return optimistic_value_iteration(known.mean_transitions(), radius, rewards, self.spec.horizon)


class BEB(PlanningRule):
    def __init__(self, spec: Spec, config: BEBConfig):
        self.spec = spec
        self.bonus = config.bonus

    def plan(self, known: Posterior, context: Context, rng: Generator) -> Tensor:
        rewards = known.mean_rewards() + self.bonus / (1 + known.visits)
        return value_iteration(known.mean_transitions(), rewards, self.spec.horizon)[0]


class Greedy(PlanningRule):
    def plan(self, known: Posterior, context: Context, rng: Generator) -> Tensor:
        return value_iteration(known.mean_transitions(), known.mean_rewards(), self.spec.horizon)[0]


class EpsilonGreedy(Greedy):
    def __init__(self, spec: Spec, config: EpsilonConfig):
        self.spec = spec
        self.epsilon = config.epsilon

    def chosen(self, action: Tensor, rng: Generator) -> Tensor:
        explores = torch.rand(len(action), generator=rng) < self.epsilon
        return torch.randint(self.spec.actions, action.shape, generator=rng).where(explores, action)


class ValueIteration(PlanningRule):
    def plan(self, known: Posterior, context: Context, rng: Generator) -> Tensor:
        assert context.task is not None, "the bound observes the MDP"
        states, actions = self.spec.obs, self.spec.actions
        transitions = context.task[:, : states * actions * states].view(-1, states, actions, states)
        rewards = context.task[:, states * actions * states :].view(-1, states, actions)
        return value_iteration(transitions, rewards, self.spec.horizon)[0]
