"""Offline training in a world that was learned (Yu et al. 2020, MOPO, arXiv:2005.13239).

    first       an ensemble of M dynamics is fitted to the logs                 metairl/training/dynamics_ensemble.py
    iteration   o ~ logs, then h steps of the policy in the ensemble's world     metairl/envs/learned_model.py
                r̃ = r − λ u(o, a); over before where o′ is an end            metairl/envs/termination.py
                gradient steps on a share ρ of logged transitions and 1 − ρ of imagined ones, with r̃

    u = max_i ‖σ_i(o, a)‖              doubt = "noise", the paper's
    u = max_i ‖μ_i(o, a) − μ̄(o, a)‖    doubt = "spread", of what the members think likely

σ and μ are of next observation and reward together, i of all members. A task that the policy is told is told
the ensemble too. What ends an episode is not learned but read from what is seen, as in the paper's code. The
budget is counted in gradient steps; fitting costs none.

Departures: as many rollouts begin in every task; fewer of them than in the paper, 10,000 instead of 50,000.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner
from metairl.core.rng import seed_of
from metairl.core.rollout import rollout
from metairl.core.types import Batch, Outcome, Spec, Trial
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.replay import Replay
from metairl.envs.learned_model import LearnedEnv
from metairl.training import dynamics_ensemble, offline


@dataclass(frozen=True)
class Config(offline.Config):
    model: dynamics_ensemble.Config = field(default_factory=dynamics_ensemble.Config)  # the ensemble
    horizon: int = 5  # h
    penalty: float = 1.0  # λ
    doubt: Literal["noise", "spread"] = "noise"  # u
    rollouts: int = 10_000  # that an iteration begins with, in all tasks together
    rounds: int = 1000  # gradient steps of an iteration
    keep: int = 5  # newest iterations whose rollouts are kept
    real: float = 0.05  # ρ


class MOPO(offline.Offline):
    needs_termination = True  # computed from observations

    def __init__(self, agent: Agent[OffPolicyLearner], source: OfflineDataset, config: Config, seed: int):
        super().__init__(agent, source, config, seed, ("fit", "imagine"))
        logged = self.replay
        obs, actions = (logged.data[name].shape[-1] for name in ("obs", "action"))
        self.spec = Spec(obs, actions, False, config.horizon, 1, logged.tasks.shape[1])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("dynamics", seed))
            self.model = dynamics_ensemble.DynamicsEnsemble(self.spec, agent.inputs.task, config.model)
        self.each = max(1, config.rollouts // self.count)  # rollouts of a task
        self.imagined = Replay(config.keep, self.each * config.horizon, logged.families)

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        if self.gradient_steps == 0:
            dynamics_ensemble.fit(self.model, self.replay, self.streams["fit"])
        error = self.model.errors[self.model.elites].mean().item()
        return {"model": error, "imagined": self._imagine()} | self.improve(self.config.rounds)

    def transitions(self, which: Tensor) -> Batch:
        config, chance = self.config, self.streams["improve"]
        real = int(config.real * config.batch + torch.rand((), generator=chance).item())  # ρ on average
        imagined = self.imagined.sample_transitions(which, config.batch - real, chance)
        return self.replay.sample_transitions(which, real, chance).beside(imagined)

    def state(self) -> dict[str, Any]:
        own = {"model": self.model.state_dict(), "imagined": self.imagined.state()}
        return super().state() | own

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.model.load_state_dict(state["model"])
        self.imagined.load(state["imagined"])

    def _imagine(self) -> float:
        """New rollouts of every task; what a step of them pays, on average."""
        chance, which = self.streams["imagine"], torch.arange(self.count)
        task = self.replay.tasks.repeat_interleave(self.each, 0)
        ends = self.source.ends
        env = LearnedEnv(self.model, self.spec, task, lambda: self._begin(which), self._penalty, chance, ends)
        lived = rollout(self.agent.policy(explore=True), env, chance, self.agent.inputs, final=True)
        self.imagined.add(which, _end_to_end(lived, self.count))
        return lived.outcome.reward[lived.outcome.mask].mean().item()

    def _begin(self, which: Tensor) -> Tensor:
        return self.replay.sample_transitions(which, self.each, self.streams["imagine"]).obs.flatten(0, 1)

    def _penalty(self, mean: Tensor, std: Tensor) -> Tensor:
        """λ u of what all members say, [M, B, O + 1] -> [B]."""
        penalty: Tensor = self.config.penalty * self._doubt(mean, std)
        return penalty

    def _doubt(self, mean: Tensor, std: Tensor) -> Tensor:
        """u."""
        doubted = std if self.config.doubt == "noise" else mean - mean.mean(0)
        largest: Tensor = doubted.norm(dim=-1).amax(0)
        return largest


def _end_to_end(trial: Trial, tasks: int) -> Trial:
    """The lanes of a task, which are neighbours, as one lane: [tasks · n, h] -> [tasks, n · h].

    Where lanes ended early, steps that count come first.
    """
    order = (~trial.outcome.mask).view(tasks, -1).byte().argsort(dim=1, stable=True)
    rows = torch.arange(tasks).unsqueeze(1)

    def joined(x: Tensor) -> Tensor:
        return x.reshape(tasks, -1, *x.shape[2:])[rows, order]

    assert trial.next_obs is not None, "what each step led to"
    return Trial(
        obs=joined(trial.obs),
        action=joined(trial.action),
        outcome=Outcome(*(joined(getattr(trial.outcome, part.name)) for part in fields(Outcome))),
        task=trial.task.reshape(tasks, -1, trial.task.shape[1])[:, 0],
        actions=trial.actions,
        next_obs=joined(trial.next_obs),
    )
