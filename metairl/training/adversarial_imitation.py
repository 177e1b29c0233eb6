"""Adversarial imitation: the discriminator of GAIL, AIRL or GCL reads one demonstration of each task.

    gradient step of the reward   `batch_trials` policy trials and demonstrations of the same tasks,
                                  `steps` transitions of each, or whole trials where the loss needs them

Which reward is learned is the setting's: rewards/adversarial/gail.py, airl.py, gcl.py. How reward and policy
alternate is in adversarial.py.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.agents.rl.ppo import PPO
from metairl.core.types import Batch, Trial
from metairl.data.replay import some_steps
from metairl.data.task_sources import DemonstratedTasks
from metairl.rewards.adversarial import gail
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch, RewardConfig
from metairl.training import adversarial
from metairl.training.loop import Means


@dataclass(frozen=True)
class Config(adversarial.Config):
    reward: RewardConfig = field(default_factory=gail.Config)


class AdversarialImitation(adversarial.Adversarial):
    def __init__(self, agent: Agent[PPO], source: DemonstratedTasks, config: Config, seed: int):
        super().__init__(agent, source, config, config.reward, seed)
        self.demos = source.demos.replay

    def sample_tasks(self) -> Tensor:
        return torch.randint(len(self.source), (self.config.trials,), generator=self.streams["choose"])

    def update_reward(
        self, trial: Trial, batch: DiscriminatorBatch, which: Tensor, context: Batch | None
    ) -> dict[str, float]:
        means, rng = Means(), self.streams["show"]
        for _ in range(self.config.rounds):
            rows = torch.randperm(len(which), generator=rng)[: self.config.batch_trials]
            known = None if context is None else context[rows]
            both = self.expert_batch(which[rows], known), batch[rows]
            expert, policy = both if self.reward.whole_trials else (self._sample_steps(d) for d in both)
            means.add(self.reward_step(expert, policy) | self.reward.diagnostics(expert, policy))
        return means.read()

    @torch.no_grad()
    def expert_batch(self, which: Tensor, context: Batch | None) -> DiscriminatorBatch:
        """One demonstration of each of these tasks."""
        demo = self.demos.sample_trials(which, 1, self.streams["show"]).all_transitions()
        left = self.source.spec.horizon - 1 - torch.arange(demo.mask.shape[1])
        absorbing_steps = demo.terminated * left.clamp(min=0)
        return self.encode(
            demo.obs,
            demo.action,
            demo.next_obs,
            demo.mask,
            demo.terminated,
            absorbing_steps,
            demo.task,
            context,
        )

    def _sample_steps(self, batch: DiscriminatorBatch) -> DiscriminatorBatch:
        lengths = batch.mask.sum(1)
        return batch.at(some_steps(lengths, self.config.steps, self.streams["show"]))
