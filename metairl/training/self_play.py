"""Goals by asymmetric self-play (Sukhbaatar et al. 2018, arXiv:1703.05407; OpenAI 2021, arXiv:2101.04882).

    g       where the setter's trial ended
    R       = 5 [g was not reached] + t / T   if g is away from the start, else 0;   t of T steps before g
    cloned  the setter's trials, where g is away and was not reached (asymmetric behavioural cloning)

The setter observes what the goal-conditioned policy observes, with noise u in place of a goal, so that its
trials differ.

Departures: OpenAI's reward of 1 for any valid goal is t / T, the time reward of the first paper, so that a
setter whose goals are all reached still knows which are far; the noise u; one goal a trial; both policies have
the environment's horizon, and the setter has no stop action; L_BC keeps its gradient where ρ < 1 − ε, as PPO's
does.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from metairl.agents.agent import Agent
from metairl.agents.rl import ppo
from metairl.core.interfaces import ContextKind
from metairl.core.rng import seed_of
from metairl.core.types import Context, Encoding, PolicyInputs, Spec, State, Trial
from metairl.data.task_sources import TrainingTasks
from metairl.training import goal_reaching
from metairl.training.goal_reaching import Round, last_obs, with_goals, with_reward
from metairl.training.on_policy import OnPolicy


@dataclass(frozen=True)
class Config(goal_reaching.Config):
    failure_reward: float = 5.0  # of the setter, where its goal is not reached
    time_reward: float = 1.0  # of the setter, for each share of the horizon that its goal took
    noise_dim: int = 4  # normal numbers that the setter observes, sampled once an episode
    setter: ppo.Config = field(default_factory=lambda: ppo.Config(bounded=True))


class NoiseEncoder(nn.Module):
    """z_t = [o_t, u],  u ~ N(0, 1), sampled once an episode."""

    sees_task = False
    context_kind: ContextKind = "step"
    length_buckets = 4

    def __init__(self, spec: Spec, noise_dim: int):
        super().__init__()
        self.width = spec.obs + noise_dim

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.noise is not None, "declared in the setter's inputs"
        z = torch.cat([context.obs, context.noise], dim=-1)
        return Encoding(z, state, aux=z.new_zeros(()))


class SelfPlay(goal_reaching.GoalReaching):
    def __init__(self, agent: Agent[ppo.PPO], source: TrainingTasks, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        setter_seed = seed_of("setter", seed)
        self.setter = OnPolicy(make_setter(agent, source, config, setter_seed), source, config, setter_seed)

    def propose(self) -> tuple[Tensor, Trial]:
        trial = self.collect(self.setter.agent, self.any_env(), "propose")
        return last_obs(trial), trial

    def demonstrations(self, played: Round) -> tuple[Trial, Tensor]:
        assert played.proposed_by is not None, "the setter's trials"
        return with_goals(played.proposed_by, played.goals), played.away & ~played.reached

    def update_proposer(self, played: Round, progress: float) -> dict[str, float]:
        assert played.proposed_by is not None, "the setter's trials"
        reward = setter_reward(played.at_goal, played.away, self.config)
        trial = with_reward(played.proposed_by, at_last_step(reward, played.proposed_by))
        before = self.setter.gradient_steps
        self.setter.anneal_lr(progress)
        losses = self.setter.improve(trial, self.setter.agent.trial_reader(trial), progress)
        self.gradient_steps += self.setter.gradient_steps - before
        return {"setter_reward": reward.mean().item()} | {
            f"setter_{name}": loss for name, loss in losses.items()
        }

    def state(self) -> dict[str, Any]:
        return super().state() | {"setter": self.setter.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.setter.load(state["setter"])


def make_setter(agent: Agent[ppo.PPO], source: TrainingTasks, config: Config, seed: int) -> Agent[ppo.PPO]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("networks", seed))
        encoder = NoiseEncoder(source.spec, config.noise_dim)
        learner = ppo.PPO(source.spec, encoder.width, config.setter)
    return Agent(encoder, learner, agent.objective, PolicyInputs(reward=False, noise_dim=config.noise_dim))


def setter_reward(at_goal: Tensor, away: Tensor, config: Config) -> Tensor:
    """R, [B], from the steps at which the goal was reached, [B, T]."""
    failed = ~at_goal.any(1)
    time = (at_goal.cumsum(1) == 0).float().mean(1)  # t / T
    return (config.failure_reward * failed + config.time_reward * time) * away


def at_last_step(reward: Tensor, trial: Trial) -> Tensor:
    """Rewards [B] at the last step of every trial, 0 before, [B, T]."""
    rewards = torch.zeros_like(trial.outcome.reward)
    last = trial.outcome.mask.sum(1) - 1
    rewards[torch.arange(len(reward)), last] = reward
    return rewards
