"""Goals by asymmetric self-play (Sukhbaatar et al. 2018, arXiv:1703.05407; OpenAI 2021, arXiv:2101.04882).

    g      where the setter's trial ended
    R      = 5 [the reacher failed] + 1   where g is not where trials begin, else 0     the setter's last step
    ways   the setter's trials, where g is away and the reacher failed (asymmetric behavioural cloning)

The setter sees what the reacher sees, without a goal, and learns by PPO.

Departures: one goal a trial; both have the world's horizon, so the setter ends by the clock and not by an
action of its own; the cloning loss keeps its gradient where ρ < 1 − ε, as PPO's does.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from metairl.agent import Agent
from metairl.encoders.none import Nothing
from metairl.learners import ppo
from metairl.recipes import reaching
from metairl.recipes.on_policy import OnPolicy
from metairl.recipes.reaching import Round, ends, towards, with_reward
from metairl.source import TrainingTasks
from metairl.streams import seed_of
from metairl.types import NoConfig, Sight, Trial


@dataclass(frozen=True)
class Config(reaching.Config):
    failed: float = 5.0  # that the setter is paid where the reacher fails
    valid: float = 1.0  # and for any goal that is away
    setter: ppo.Config = field(default_factory=ppo.Config)


class SelfPlay(reaching.Reaching):
    def __init__(self, agent: Agent[ppo.PPO], source: TrainingTasks, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        own = seed_of("setter", seed)
        self.setter = OnPolicy(setter(agent, source, config.setter, own), source, config, own)

    def propose(self) -> tuple[Tensor, Trial]:
        shown = self.live(self.setter.agent, self.somewhere(), "propose")
        return ends(shown), shown

    def ways(self, played: Round) -> tuple[Trial, Tensor]:
        assert played.shown is not None, "the setter's trials"
        return towards(played.shown, played.goals), played.away & ~played.reached

    def answered(self, played: Round, progress: float) -> dict[str, float]:
        assert played.shown is not None, "the setter's trials"
        pay = setter_pay(played.reached, played.away, self.config)
        paid = with_reward(played.shown, at_end(pay, played.shown))
        before = self.setter.gradient_steps
        self.setter.slow_down(progress)
        improved = self.setter.improve(paid, self.setter.agent.reading(paid), progress)
        self.gradient_steps += self.setter.gradient_steps - before
        return {"pay": pay.mean().item()} | {f"setter_{name}": value for name, value in improved.items()}

    def state(self) -> dict[str, Any]:
        return super().state() | {"setter": self.setter.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.setter.load(state["setter"])


def setter(agent: Agent[ppo.PPO], source: TrainingTasks, config: ppo.Config, seed: int) -> Agent[ppo.PPO]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("networks", seed))
        encoder = Nothing(source.spec, NoConfig())
        learner = ppo.PPO(source.spec, encoder.width, config)
    return Agent(encoder, learner, agent.objective, Sight(reward=False))


def setter_pay(reached: Tensor, away: Tensor, config: Config) -> Tensor:
    """[B]"""
    return (config.valid + config.failed * ~reached) * away


def at_end(pay: Tensor, trial: Trial) -> Tensor:
    """Paid at the last step that counts, [B, T]."""
    reward = torch.zeros_like(trial.outcome.reward)
    last = trial.outcome.counts.sum(1) - 1
    reward[torch.arange(len(pay)), last] = pay
    return reward
