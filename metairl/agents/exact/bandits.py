"""The classical columns of RL²'s bandit table: rules on the posterior of every arm (Duan et al. 2016, A.1).

With s_i successes and f_i failures of arm i, and the prior p_i ~ U[0, 1] = Beta(1, 1),

    p_i | history ~ Beta(1 + s_i, 1 + f_i),    m_i = (1 + s_i) / (2 + s_i + f_i)

    thompson   argmax_i x_i,                x_i ~ Beta(1 + s_i, 1 + f_i)
    ots        argmax_i max(x_i, m_i)
    ucb1       argmax_i m_i + c √(2 ln t / (1 + s_i + f_i)),   t pulls so far, at least 1
    ε-greedy   argmax_i m_i with probability 1 − ε, else any arm
    greedy     argmax_i m_i
    best arm   argmax_i p_i, given the arms: an upper bound

Departures: ties are broken at random everywhere. UCB1 uses the posterior mean and counts the prior as one
pull, so that no arm must be tried first; c and ε are chosen on validation tasks (benchmarks/tuned).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from metairl.core.types import Context, NoConfig, Spec, State


@dataclass(frozen=True)
class UCB1Config:
    coefficient: float = 0.2  # c


@dataclass(frozen=True)
class EpsilonConfig:
    epsilon: float = 0.05  # ε


class CountingRule:
    """Counts successes and failures; a subclass scores the arms and the highest score is pulled."""

    def __init__(self, spec: Spec, config: NoConfig):
        self.arms = spec.actions

    def initial(self, lanes: int) -> State:
        return torch.zeros(lanes, self.arms), torch.zeros(lanes, self.arms)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        counts = counted(context, state)
        return any_best(self.score(*counts, context, rng), rng), counts

    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        raise NotImplementedError


class Thompson(CountingRule):
    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        return sample_beta(1 + wins, 1 + losses, rng)


class OTS(CountingRule):
    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        return torch.maximum(sample_beta(1 + wins, 1 + losses, rng), posterior_mean(wins, losses))


class UCB1(CountingRule):
    def __init__(self, spec: Spec, config: UCB1Config):
        self.arms = spec.actions
        self.coefficient = config.coefficient

    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        pulls = wins + losses
        log_time = pulls.sum(1, keepdim=True).clamp(min=1).log()
        return posterior_mean(wins, losses) + self.coefficient * (2 * log_time / (1 + pulls)).sqrt()


class EpsilonGreedy(CountingRule):
    def __init__(self, spec: Spec, config: EpsilonConfig):
        self.arms = spec.actions
        self.epsilon = config.epsilon

    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        explores = torch.rand(len(wins), 1, generator=rng) < self.epsilon
        return posterior_mean(wins, losses).where(~explores, 0.0)  # all equal: any arm


class Greedy(CountingRule):
    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        return posterior_mean(wins, losses)


class BestArm(CountingRule):
    def score(self, wins: Tensor, losses: Tensor, context: Context, rng: Generator) -> Tensor:
        assert context.task is not None, "the bound observes the arms"
        return context.task


def counted(context: Context, state: State) -> tuple[Tensor, Tensor]:
    """The counts with the last pull in them; before the first pull its one-hot is zero."""
    assert context.prev_reward is not None, "a bandit rule reads the reward"
    wins, losses = state
    pulled, reward = context.prev_action[:, 0], context.prev_reward
    return torch.addcmul(wins, pulled, reward), torch.addcmul(losses, pulled, 1 - reward)


def posterior_mean(wins: Tensor, losses: Tensor) -> Tensor:
    return (1 + wins) / (2 + wins + losses)


def sample_beta(a: Tensor, b: Tensor, rng: Generator) -> Tensor:
    """x / (x + y) with x ~ Gamma(a), y ~ Gamma(b). NumPy draws a Gamma in a third of torch's time."""
    source = np.random.Generator(np.random.SFC64(int(torch.randint(2**62, (), generator=rng))))
    x, y = (torch.from_numpy(source.standard_gamma(shape.numpy(), dtype=np.float32)) for shape in (a, b))
    return x / (x + y)


def any_best(score: Tensor, rng: Generator) -> Tensor:
    """The index of a row's largest entry; among equals, each as likely."""
    lot = torch.rand(score.shape, generator=rng)
    return lot.where(score == score.amax(1, keepdim=True), -1.0).argmax(1)
