"""Rollouts of a policy in a learned dynamics ensemble, in a replay buffer of their own: what MOPO and CLARE
share (Janner et al. 2019, MBPO, arXiv:1906.08253).

    first       an ensemble of M dynamics models is fitted to the data      dynamics_ensemble.py
    iteration   o ~ data, then h steps of the policy in the ensemble        metairl/envs/learned_model.py

    u(o, a) = max_i ‖σ_i(o, a)‖              uncertainty = "std"
            = max_i ‖μ_i(o, a) − μ̄(o, a)‖    uncertainty = "disagreement"

σ and μ are of next observation and reward together, i ranges over all members. A task that the policy observes
is an input of the ensemble too. Termination is not learned but computed from observations, as in MOPO's code.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from metairl.agents.agent import Agent
from metairl.core.rng import seed_of
from metairl.core.rollout import rollout
from metairl.core.types import Batch, Outcome, Spec, Trial
from metairl.data.replay import Replay
from metairl.envs.learned_model import LearnedEnv, Penalty
from metairl.envs.termination import Ends
from metairl.training import dynamics_ensemble, offline


@dataclass(frozen=True)
class Config(offline.Config):
    model: dynamics_ensemble.Config = field(default_factory=dynamics_ensemble.Config)
    horizon: int = 5  # steps of a rollout (h)
    uncertainty: Literal["std", "disagreement"] = "std"  # predicted deviation, or members' disagreement (u)
    rollouts: int = 10_000  # started in an iteration, over all tasks
    rounds: int = 1000  # gradient steps in an iteration
    keep: int = 5  # newest iterations whose rollouts are kept
    real_share: float = 0.05  # share of dataset transitions in a batch (ρ)


class ModelRollouts:
    def __init__(self, agent: Agent[Any], dataset: Replay, config: Config, ends: Ends | None, seed: int):
        obs, actions = (dataset.data[name].shape[-1] for name in ("obs", "action"))
        self.agent, self.dataset, self.config, self.ends = agent, dataset, config, ends
        self.spec = Spec(obs, actions, False, config.horizon, 1, dataset.tasks.shape[1])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("dynamics", seed))
            self.model = dynamics_ensemble.DynamicsEnsemble(self.spec, agent.inputs.task, config.model)
        self.every_task = torch.arange(len(dataset.tasks))
        self.per_task = max(1, config.rollouts // len(dataset.tasks))
        self.buffer = Replay(config.keep, self.per_task * config.horizon, dataset.families)

    def fit(self, rng: Generator) -> None:
        dynamics_ensemble.fit(self.model, self.dataset, rng)

    @property
    def model_error(self) -> float:
        """Mean squared error of the elites on held-out data."""
        return self.model.errors[self.model.elites].mean().item()

    def generate(self, starts: Callable[[], Tensor], penalty: Penalty, rng: Generator) -> dict[str, float]:
        """Adds new rollouts of every task to the buffer; the model's error and their mean reward."""
        task = self.dataset.tasks.repeat_interleave(self.per_task, 0)
        env = LearnedEnv(self.model, self.spec, task, starts, penalty, rng, self.ends)
        trial = rollout(self.agent.policy(explore=True), env, rng, self.agent.inputs, keep_next_obs=True)
        self.buffer.add(self.every_task, one_trial_a_task(trial, len(self.dataset.tasks)))
        reward = trial.outcome.reward[trial.outcome.mask].mean().item()
        return {"model_error": self.model_error, "model_reward": reward}

    def sample_mixed(self, which: Tensor, rng: Generator) -> Batch:
        """Dataset transitions of these tasks, a share ρ of a batch on average, and model rollouts."""
        config = self.config
        real = int(config.real_share * config.batch + torch.rand((), generator=rng).item())
        imagined = self.buffer.sample_transitions(which, config.batch - real, rng)
        return self.dataset.sample_transitions(which, real, rng).concat(imagined)

    def starts(self, dataset: Replay, count: int, rng: Generator) -> Tensor:
        """Observations of each task's data to start rollouts from, [tasks, count, O]."""
        return dataset.sample_transitions(self.every_task, count, rng).obs

    def uncertainty(self, mean: Tensor, std: Tensor) -> Tensor:
        """u of the members' predictions, [M, B, O + 1] -> [B]."""
        deviation = std if self.config.uncertainty == "std" else mean - mean.mean(0)
        largest: Tensor = deviation.norm(dim=-1).amax(0)
        return largest

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "imagined": self.buffer.state()}

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.buffer.load(state["imagined"])


def one_trial_a_task(trial: Trial, tasks: int) -> Trial:
    """Joins the neighbouring lanes of each task into one, [tasks · n, h] -> [tasks, n · h].

    A lane is one env of a batch. Valid steps come first where lanes terminated early.
    """
    order = (~trial.outcome.mask).view(tasks, -1).byte().argsort(dim=1, stable=True)
    rows = torch.arange(tasks).unsqueeze(1)

    def joined(x: Tensor) -> Tensor:
        return x.reshape(tasks, -1, *x.shape[2:])[rows, order]

    assert trial.next_obs is not None, "rolled out with next observations"
    return Trial(
        obs=joined(trial.obs),
        action=joined(trial.action),
        outcome=Outcome(*(joined(getattr(trial.outcome, part.name)) for part in fields(Outcome))),
        task=trial.task.reshape(tasks, -1, trial.task.shape[1])[:, 0],
        actions=trial.actions,
        next_obs=joined(trial.next_obs),
    )
