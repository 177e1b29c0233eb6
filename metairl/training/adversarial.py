"""A reward and a policy trained in turns: what adversarial imitation and VICE share.

    iteration   one trial in each of some training tasks, without the true reward         rollout
                gradient steps of the reward on these trials and on what the expert did   discriminator
                rewards of every step by the updated reward, then PPO on them             policy

    an episode that terminated at its t-th step of H:   r_t += Σ_{k=1}^{H − t} γᵏ r(absorbing)

The trial is encoded once an iteration; the reward reads the encoder's z without gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from metairl.agents.agent import Agent, TrialReader
from metairl.agents.rl.ppo import PPO
from metairl.core.errors import UsageError
from metairl.core.rng import seed_of
from metairl.core.rollout import rollout
from metairl.core.types import Batch, Outcome, Spec, Trial, encode_action
from metairl.data.task_sources import DemonstratedTasks, SuccessExampleTasks
from metairl.rewards.adversarial import airl, gail, gcl, success_classifier
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch, RewardConfig
from metairl.rewards.recovered import PolicyWithReward, with_reward
from metairl.training import on_policy

REWARDS: dict[type[RewardConfig], Callable[[Spec, int, Any], nn.Module]] = {
    gail.Config: gail.GAIL,
    airl.Config: airl.AIRL,
    gcl.Config: gcl.GCL,
    success_classifier.Config: success_classifier.SuccessClassifier,
}


@dataclass(frozen=True)
class Config(on_policy.Config):
    trials: int = 64  # tasks sampled in an iteration, one trial each
    rounds: int = 8  # gradient steps of the reward in an iteration
    batch_trials: int = 16  # policy trials in such a step, and as many of the expert
    steps: int = 64  # transitions of each trial in such a step, unless the reward reads whole trials
    reward_learning_rate: float = 1e-3  # of the reward's Adam
    context: int = 200  # transitions of the expert's data that a task is inferred from


class Adversarial(on_policy.OnPolicy):
    config: Any
    source: DemonstratedTasks | SuccessExampleTasks
    agent: Agent[PPO]

    def __init__(
        self,
        agent: Agent[PPO],
        source: DemonstratedTasks | SuccessExampleTasks,
        config: Config,
        reward: RewardConfig,
        seed: int,
    ):
        super().__init__(agent, source, config, seed, ("choose", "show"))
        if agent.inputs.noise_dim and source.spec.episodes > 1:
            raise UsageError(
                "an encoder that samples its posterior in every episode needs trials of one episode here: "
                "try episodes=1"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("reward", seed))
            self.reward: Any = REWARDS[type(reward)](source.spec, agent.encoder.width, reward)
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.reward})
        self.reward_optimiser = torch.optim.Adam(self.reward.parameters(), config.reward_learning_rate)

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        source, which = self.source, self.sample_tasks()
        context = source.context_for(which, self.config.context, self.agent.encoder, self.streams["show"])
        policy = self.agent.policy(explore=True)
        acting = policy if context is None else policy.conditioned_on(context)
        env = source.env(source.tasks[which], self.streams["world"])
        trial = rollout(acting, env, self.streams["act"], self.agent.inputs, keep_next_obs=True)
        self.env_steps += int(trial.outcome.mask.sum())
        batch = self.policy_batch(trial, context)
        reward_metrics = self.update_reward(trial, batch, which, context)
        rewarded = self.with_learned_reward(trial, batch)
        policy_metrics = self.improve(rewarded, self._reader(rewarded, context), progress)
        diverged = (trial.outcome.diverged & trial.outcome.mask).sum().item()
        return reward_metrics | policy_metrics | {"diverged": diverged}

    def sample_tasks(self) -> Tensor:
        """Indices of the tasks to roll out next."""
        raise NotImplementedError

    def update_reward(
        self, trial: Trial, batch: DiscriminatorBatch, which: Tensor, context: Batch | None
    ) -> dict[str, float]:
        """The reward's gradient steps of an iteration; mean losses and diagnostics."""
        raise NotImplementedError

    def reward_step(self, expert: DiscriminatorBatch, policy: DiscriminatorBatch) -> dict[str, Tensor]:
        """One gradient step of the reward."""
        losses: dict[str, Tensor] = self.reward.losses(expert, policy)
        self.reward_optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        self.reward_optimiser.step()
        self.reward_optimiser.zero_grad(set_to_none=True)  # so that PPO clips the policy's gradient alone
        return losses

    @torch.no_grad()
    def policy_batch(self, trial: Trial, context: Batch | None) -> DiscriminatorBatch:
        """The trial as discriminators read it."""
        assert trial.next_obs is not None, "rolled out with next observations"
        outcome = trial.outcome
        terminated = (outcome.terminated & outcome.mask).float()
        return self.encode(
            trial.obs,
            encode_action(trial.action, trial.actions),
            trial.next_obs,
            outcome.mask.float(),
            terminated,
            terminated * steps_left(outcome, self.source.spec.horizon),
            trial.task,
            context,
        )

    def encode(
        self,
        obs: Tensor,
        action: Tensor,
        next_obs: Tensor,
        mask: Tensor,
        terminated: Tensor,
        absorbing_steps: Tensor,
        task: Tensor,
        context: Batch | None,
    ) -> DiscriminatorBatch:
        z, next_z = (self.agent.embed(x, task, context) for x in (obs, next_obs))
        log_prob = self.agent.learner.policy(z).log_prob(action)
        return DiscriminatorBatch(z, action, next_z, mask, terminated, absorbing_steps, log_prob)

    @torch.no_grad()
    def with_learned_reward(self, trial: Trial, batch: DiscriminatorBatch) -> Trial:
        """The trial with its rewards replaced by the learned ones, absorbing steps included."""
        gamma = self.agent.learner.config.gamma
        discounted_steps = gamma * (1 - gamma**batch.absorbing_steps) / (1 - gamma)
        reward = self.reward.policy_reward(batch) + discounted_steps * self.reward.absorbing_reward()
        return replace(trial, outcome=replace(trial.outcome, reward=reward * batch.mask))

    def policy_with_reward(self) -> PolicyWithReward | None:
        return with_reward(self.agent, self.reward.recovered_reward, None)

    def state(self) -> dict[str, Any]:
        return super().state() | {"reward_optimiser": self.reward_optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.reward_optimiser.load_state_dict(state["reward_optimiser"])

    def _reader(self, trial: Trial, context: Batch | None) -> TrialReader:
        if context is None:
            return self.agent.trial_reader(trial)
        return self.agent.trial_reader_given_context(trial, context)


def steps_left(outcome: Outcome, horizon: int) -> Tensor:
    """Steps between each step and its episode's horizon, [B, T]."""
    steps = torch.arange(outcome.done.shape[1]).expand_as(outcome.done)
    started = torch.where(outcome.done, steps + 1, 0).cummax(1).values
    started = torch.cat([torch.zeros_like(started[:, :1]), started[:, :-1]], dim=1)
    return (horizon - 1 - (steps - started)).clamp(min=0).float()
