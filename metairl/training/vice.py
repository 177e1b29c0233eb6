"""A reward that tells success from what was visited, and a policy that is paid it: rewards/adversarial/success_classifier.py.

    iteration   one trial in each of some training tasks, without reward, is kept           the policy
                rounds of gradient steps on examples of success and on all that is kept     the reward
                r of every step, by the reward as it is then;  PPO on that                  the policy

    goal-classifier   the reward learns in the first iteration alone and stays as it is
    vice              it learns in every iteration, so that what the policy comes to visit is told apart too

A gradient step of the reward reads as many examples as steps that were visited, of the same tasks. A task is
told, or inferred from its examples, as a held-out one is from its own.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.agents.rl.ppo import PPO
from metairl.core.errors import UsageError
from metairl.core.types import Batch, Trial
from metairl.data.exemplified import SuccessExampleTasks
from metairl.data.replay import Replay, some_steps
from metairl.rewards.adversarial import success_classifier
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch, RewardConfig
from metairl.training import adversarial_imitation
from metairl.training.loop import Means


@dataclass(frozen=True)
class Config(adversarial_imitation.Config):
    reward: RewardConfig = field(default_factory=success_classifier.Config)
    tasks: int = 64  # training tasks, drawn once, with examples of each
    keep: int = 10  # newest trials of a task whose steps the reward tells from examples
    first: int = 200  # gradient steps of the reward in the first iteration
    frozen: bool = False  # and none later


class VICE(adversarial_imitation.AdversarialImitation):
    source: SuccessExampleTasks

    def __init__(self, agent: Agent[PPO], source: SuccessExampleTasks, config: Config, seed: int):
        if config.trials > config.tasks:
            raise UsageError(f"recipe.trials is of different tasks, at most recipe.tasks, {config.tasks}")
        super().__init__(agent, source, config, seed)
        self.visited = Replay(config.keep, source.spec.steps, torch.zeros(config.tasks, dtype=torch.long))

    def chosen(self) -> Tensor:
        """Different ones."""
        return torch.randperm(len(self.source), generator=self.streams["choose"])[: self.config.trials]

    def update_discriminator(self, trial: Trial, which: Tensor, evidence: Batch | None) -> dict[str, float]:
        """The reward's gradient steps, and what it then thinks of where the policy was."""
        beginning = not self.visited.num_trials.any()
        self.visited.add(which, trial)
        rounds = 0 if self.config.frozen else self.config.rounds
        means = Means()
        for _ in range(self.config.first if beginning else rounds):
            means.add(self.learned(*self._pair()))
        with torch.no_grad():
            looks = self.reward.probability(self.agent.embed(trial.obs, trial.task, evidence))
        return means.read() | {"looks": looks[trial.outcome.mask].mean().item()}

    def state(self) -> dict[str, Any]:
        return super().state() | {"visited": self.visited.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.visited.load(state["visited"])

    @torch.no_grad()
    def _pair(self) -> tuple[DiscriminatorBatch, DiscriminatorBatch]:
        """Examples and visits, as many of the same tasks."""
        config, rng = self.config, self.streams["show"]
        known = self.visited.num_trials.nonzero().squeeze(1)
        which = known[torch.randperm(len(known), generator=rng)[: config.rows]]
        evidence = self.source.context_for(which, config.context, self.agent.encoder, rng)
        lived = self.visited.sample_transitions(which, config.steps, rng)
        obs = self.source.examples[which]
        picked = some_steps(torch.full((len(which),), obs.shape[1]), config.steps, rng)
        obs = obs.gather(1, picked.unsqueeze(-1).expand(-1, -1, obs.shape[2]))
        still = torch.zeros_like(lived.mask)
        shown = self.deeds(
            obs, torch.zeros_like(lived.action), obs, still + 1, still, still, lived.task, evidence
        )
        visited = self.deeds(
            lived.obs, lived.action, lived.next_obs, lived.mask, still, still, lived.task, evidence
        )
        return shown, visited
