"""VICE: PPO on the output of a classifier of success states versus visited states (Fu et al. 2018,
arXiv:1805.11686; rewards/adversarial/success_classifier.py).

    gradient step of the reward   as many examples of success as visited states, of the same tasks

    goal-classifier   the classifier is fitted in the first iteration alone (`frozen`)
    vice              it is updated in every iteration, so that states which the policy has come to exploit
                      are classified as no success

A task is given to the encoder, or inferred from its examples, as a held-out one is from its own. How reward and
policy alternate is in adversarial.py.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.agents.rl.ppo import PPO
from metairl.core.errors import UsageError
from metairl.core.types import Batch, Trial
from metairl.data.replay import Replay, some_steps
from metairl.data.task_sources import SuccessExampleTasks
from metairl.rewards.adversarial import success_classifier
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch, RewardConfig
from metairl.training import adversarial
from metairl.training.loop import Means


@dataclass(frozen=True)
class Config(adversarial.Config):
    reward: RewardConfig = field(default_factory=success_classifier.Config)
    tasks: int = 64  # training tasks, sampled once, with examples of each
    keep: int = 10  # newest trials of a task that visited states are sampled from
    first_rounds: int = 200  # gradient steps of the classifier in the first iteration
    frozen: bool = False  # no gradient steps of the classifier after the first iteration


class VICE(adversarial.Adversarial):
    def __init__(self, agent: Agent[PPO], source: SuccessExampleTasks, config: Config, seed: int):
        if config.trials > config.tasks:
            raise UsageError(
                f"recipe.trials ({config.trials}) must be at most recipe.tasks ({config.tasks}): one trial a task"
            )
        super().__init__(agent, source, config, config.reward, seed)
        self.examples = source.examples
        self.visited = Replay(config.keep, source.spec.steps, torch.zeros(config.tasks, dtype=torch.long))

    def sample_tasks(self) -> Tensor:
        return torch.randperm(len(self.source), generator=self.streams["choose"])[: self.config.trials]

    def update_reward(
        self, trial: Trial, batch: DiscriminatorBatch, which: Tensor, context: Batch | None
    ) -> dict[str, float]:
        first = not self.visited.num_trials.any()
        self.visited.add(which, trial)
        rounds = 0 if self.config.frozen else self.config.rounds
        means = Means()
        for _ in range(self.config.first_rounds if first else rounds):
            means.add(self.reward_step(*self.examples_and_visited()))
        with torch.no_grad():
            probability = self.reward.probability(batch.z)[trial.outcome.mask].mean()
        return means.read() | {"success_probability": probability.item()}

    def state(self) -> dict[str, Any]:
        return super().state() | {"visited": self.visited.state()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.visited.load(state["visited"])

    @torch.no_grad()
    def examples_and_visited(self) -> tuple[DiscriminatorBatch, DiscriminatorBatch]:
        """As many examples as visited states, of the same tasks."""
        config, rng = self.config, self.streams["show"]
        known = self.visited.num_trials.nonzero().squeeze(1)
        which = known[torch.randperm(len(known), generator=rng)[: config.batch_trials]]
        context = self.source.context_for(which, config.context, self.agent.encoder, rng)
        visited = self.visited.sample_transitions(which, config.steps, rng)
        obs = self.examples[which]
        sampled = some_steps(torch.full((len(which),), obs.shape[1]), config.steps, rng)
        obs = obs.gather(1, sampled.unsqueeze(-1).expand(-1, -1, obs.shape[2]))
        zero, no_action = torch.zeros_like(visited.mask), torch.zeros_like(visited.action)
        return (
            self.encode(obs, no_action, obs, zero + 1, zero, zero, visited.task, context),
            self.encode(
                visited.obs,
                visited.action,
                visited.next_obs,
                visited.mask,
                zero,
                zero,
                visited.task,
                context,
            ),
        )
