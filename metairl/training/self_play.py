"""Goals by asymmetric self-play (Sukhbaatar et al. 2018, arXiv:1703.05407; OpenAI 2021, arXiv:2101.04882).

    g      where the setter's trial ended
    R      = 5 [the reacher failed] + t / T   where g is away, else 0;  t of T steps came before it was at g
    ways   the setter's trials, where g is away and the reacher failed (asymmetric behavioural cloning)

The setter sees what the reacher sees, without a goal but with a whim, u: what it ends at should differ.

Departures: OpenAI's 1 for any goal that is away is t / T, the times of the first paper, so that a setter
whose goals are all reached still knows which are far; the whim; one goal a trial; both have the world's
horizon, so the setter ends by the clock and not by an action; L_C keeps its gradient where ρ < 1 − ε, as
PPO's does.
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
from metairl.training.goal_reaching import Round, ends, towards, with_reward
from metairl.training.on_policy import OnPolicy


@dataclass(frozen=True)
class Config(goal_reaching.Config):
    failed: float = 5.0  # that the setter is paid where the reacher fails
    slow: float = 1.0  # and for all of the time that the reacher takes
    whim: int = 4  # normal numbers that every episode of the setter brings with it
    setter: ppo.Config = field(default_factory=lambda: ppo.Config(bounded=True))


class Whim(nn.Module):
    """z_t = [o_t, u],  u ~ N(0, 1) of the episode."""

    sees_task = False
    context_kind: ContextKind = "step"
    length_buckets = 4

    def __init__(self, spec: Spec, chance: int):
        super().__init__()
        self.width = spec.obs + chance

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.noise is not None, "a draw"
        z = torch.cat([context.obs, context.noise], dim=-1)
        return Encoding(z, state, aux=z.new_zeros(()))


class SelfPlay(goal_reaching.GoalReaching):
    def __init__(self, agent: Agent[ppo.PPO], source: TrainingTasks, config: Config, seed: int):
        super().__init__(agent, source, config, seed)
        own = seed_of("setter", seed)
        self.setter = OnPolicy(setter(agent, source, config, own), source, config, own)

    def propose(self) -> tuple[Tensor, Trial]:
        shown = self.live(self.setter.agent, self.somewhere(), "propose")
        return ends(shown), shown

    def ways(self, played: Round) -> tuple[Trial, Tensor]:
        assert played.shown is not None, "the setter's trials"
        return towards(played.shown, played.goals), played.away & ~played.reached

    def answered(self, played: Round, progress: float) -> dict[str, float]:
        assert played.shown is not None, "the setter's trials"
        pay = setter_pay(played.arrived, played.away, self.config)
        paid = with_reward(played.shown, at_end(pay, played.shown))
        before = self.setter.gradient_steps
        self.setter.anneal_lr(progress)
        improved = self.setter.improve(paid, self.setter.agent.trial_reader(paid), progress)
        self.gradient_steps += self.setter.gradient_steps - before
        return {"pay": pay.mean().item()} | {f"setter_{name}": value for name, value in improved.items()}

    def state(self) -> dict[str, Any]:
        return super().state() | {"setter": self.setter.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.setter.load(state["setter"])


def setter(agent: Agent[ppo.PPO], source: TrainingTasks, config: Config, seed: int) -> Agent[ppo.PPO]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("networks", seed))
        encoder = Whim(source.spec, config.whim)
        learner = ppo.PPO(source.spec, encoder.width, config.setter)
    return Agent(encoder, learner, agent.objective, PolicyInputs(reward=False, noise_dim=config.whim))


def setter_pay(arrived: Tensor, away: Tensor, config: Config) -> Tensor:
    """[B], of when the reacher was at g, [B, T]."""
    failed = ~arrived.any(1)
    before = (arrived.cumsum(1) == 0).float().mean(1)  # t / T
    return (config.failed * failed + config.slow * before) * away


def at_end(pay: Tensor, trial: Trial) -> Tensor:
    """Paid at the last step that counts, [B, T]."""
    reward = torch.zeros_like(trial.outcome.reward)
    last = trial.outcome.mask.sum(1) - 1
    reward[torch.arange(len(pay)), last] = pay
    return reward
