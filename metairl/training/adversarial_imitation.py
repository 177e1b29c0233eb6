"""A reward and a policy learned in turns: the one tells demonstrations from what the other does.

    iteration   one trial in each of some training tasks, without reward                  the policy
                rounds of gradient steps on those trials and on demonstrations            the reward
                r of every step, by the reward as it is then;  PPO on that                the policy

    an episode that the MDP ended at its t-th step of H:   r_t += Σ_{k=1}^{H − t} γᵏ r(rest)

Which reward is learned is the config's: rewards/adversarial/gail.py, airl.py, gcl.py. It reads the encoder's z, held.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from metairl.agents.agent import Agent, TrialReader
from metairl.agents.rl.ppo import PPO
from metairl.core.errors import UsageError
from metairl.core.rng import seed_of
from metairl.core.rollout import rollout
from metairl.core.types import Batch, Outcome, Spec, Trial, encode_action
from metairl.data.exemplified import SuccessExampleTasks
from metairl.data.imitated import DemonstratedTasks
from metairl.data.replay import some_steps
from metairl.rewards.adversarial import airl, gail, gcl, success_classifier
from metairl.rewards.adversarial.absorbing import DiscriminatorBatch, RewardConfig
from metairl.rewards.recovered import PolicyWithReward, with_reward
from metairl.training import on_policy
from metairl.training.loop import Means


@dataclass(frozen=True)
class Config(on_policy.Config):
    trials: int = 64  # tasks an iteration, one trial each
    rounds: int = 8  # gradient steps of the reward, an iteration
    rows: int = 16  # trials of such a step, and as many demonstrations
    steps: int = 64  # of each, where the reward does not read whole ones
    reward_rate: float = 1e-3  # Adam, of the reward
    context: int = 200  # transitions that a task is inferred from, of demonstrations
    reward: RewardConfig = field(default_factory=gail.Config)


REWARDS: dict[type, Any] = {
    gail.Config: gail.GAIL,
    airl.Config: airl.AIRL,
    gcl.Config: gcl.GCL,
    success_classifier.Config: success_classifier.SuccessClassifier,
}


class AdversarialImitation(on_policy.OnPolicy):
    config: Any
    source: DemonstratedTasks | SuccessExampleTasks
    agent: Agent[PPO]

    def __init__(
        self, agent: Agent[PPO], source: DemonstratedTasks | SuccessExampleTasks, config: Config, seed: int
    ):
        super().__init__(agent, source, config, seed, ("choose", "show"))
        if agent.inputs.noise_dim and source.spec.episodes > 1:
            raise UsageError("an encoder that draws in every episode needs trials of one: try episodes=1")
        self.source = source
        self.reward = made(config, source.spec, agent.encoder.width, seed)
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.reward})
        self.reward_optimiser = torch.optim.Adam(self.reward.parameters(), config.reward_rate)

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        which = self.chosen()
        evidence = self.source.context_for(
            which, self.config.context, self.agent.encoder, self.streams["show"]
        )
        policy = self.agent.policy(explore=True)
        acting = policy if evidence is None else policy.conditioned_on(evidence)
        env = self.source.env(self.source.tasks[which], self.streams["world"])
        trial = rollout(acting, env, self.streams["act"], self.agent.inputs, final=True)
        self.env_steps += int(trial.outcome.mask.sum())
        told = self.update_discriminator(trial, which, evidence)
        paid = self._paid(trial, evidence)
        improved = self.improve(paid, self.trial_reader(paid, evidence), progress)
        return told | improved | {"diverged": (trial.outcome.diverged & trial.outcome.mask).sum().item()}

    def chosen(self) -> Tensor:
        """Which tasks are lived in next."""
        return torch.randint(len(self.source), (self.config.trials,), generator=self.streams["choose"])

    def policy_with_reward(self) -> PolicyWithReward | None:
        return with_reward(self.agent, self.reward.recovered_reward, None)

    def trial_reader(self, trial: Trial, evidence: Batch | None) -> TrialReader:
        return (
            self.agent.trial_reader(trial)
            if evidence is None
            else self.agent.trial_reader_given_context(trial, evidence)
        )

    def state(self) -> dict[str, Any]:
        return super().state() | {"reward_optimiser": self.reward_optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.reward_optimiser.load_state_dict(state["reward_optimiser"])

    def update_discriminator(self, trial: Trial, which: Tensor, evidence: Batch | None) -> dict[str, float]:
        """The reward's gradient steps."""
        means, rng = Means(), self.streams["show"]
        lived = self._lived(trial, evidence)
        for _ in range(self.config.rounds):
            rows = torch.randperm(len(which), generator=rng)[: self.config.rows]
            known = None if evidence is None else evidence[rows]
            pair = self._shown(which[rows], known), lived[rows]
            shown, done = pair if self.reward.whole else (self._some(deeds) for deeds in pair)
            means.add(self.learned(shown, done) | self._told(shown, done))
        return means.read()

    def learned(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> dict[str, Tensor]:
        """One gradient step of the reward."""
        losses: dict[str, Tensor] = self.reward.losses(shown, lived)
        self.reward_optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        self.reward_optimiser.step()
        self.reward_optimiser.zero_grad(set_to_none=True)  # the policy's gradients are measured beside these
        return losses

    def _told(self, shown: DiscriminatorBatch, lived: DiscriminatorBatch) -> dict[str, Tensor]:
        with torch.no_grad():
            if isinstance(self.reward, gcl.GCL):
                return {"size": self.reward.effective_sample_size(shown, lived)}
            sums = [(self.reward.policy_reward(d) * d.mask).sum() / d.mask.sum() for d in (shown, lived)]
        return {"apart": sums[0] - sums[1]}

    def _some(self, deeds: DiscriminatorBatch) -> DiscriminatorBatch:
        lengths = deeds.mask.sum(1)
        return deeds.at(some_steps(lengths, self.config.steps, self.streams["show"]))

    @torch.no_grad()
    def _lived(self, trial: Trial, evidence: Batch | None) -> DiscriminatorBatch:
        assert trial.next_obs is not None, "what each step led to"
        came = trial.outcome
        action = encode_action(trial.action, trial.actions)
        ended = (came.terminated & came.mask).float()
        rest = ended * steps_left(came, self.source.spec.horizon)
        return self.deeds(
            trial.obs, action, trial.next_obs, came.mask.float(), ended, rest, trial.task, evidence
        )

    @torch.no_grad()
    def _shown(self, which: Tensor, evidence: Batch | None) -> DiscriminatorBatch:
        """One demonstration of each of these tasks."""
        assert isinstance(self.source, DemonstratedTasks), "demonstrations"
        replay = self.source.demos.replay
        batch = replay.sample_trials(which, 1, self.streams["show"]).all_transitions()
        left = self.source.spec.horizon - 1 - torch.arange(batch.mask.shape[1])
        rest = batch.terminated * left.clamp(min=0)
        return self.deeds(
            batch.obs, batch.action, batch.next_obs, batch.mask, batch.terminated, rest, batch.task, evidence
        )

    def deeds(
        self,
        obs: Tensor,
        action: Tensor,
        next_obs: Tensor,
        mask: Tensor,
        ended: Tensor,
        rest: Tensor,
        task: Tensor,
        evidence: Batch | None,
    ) -> DiscriminatorBatch:
        z, then = (self.agent.embed(x, task, evidence) for x in (obs, next_obs))
        log_prob = self.agent.learner.policy(z).log_prob(action)
        return DiscriminatorBatch(z, action, then, mask, ended, rest, log_prob)

    @torch.no_grad()
    def _paid(self, trial: Trial, evidence: Batch | None) -> Trial:
        """The same trial, with the reward that is thought of it."""
        lived = self._lived(trial, evidence)
        gamma = self.agent.learner.config.gamma
        waiting = gamma * (1 - gamma**lived.rest) / (1 - gamma)
        reward = self.reward.policy_reward(lived) + waiting * self.reward.absorbing_reward()
        return replace(trial, outcome=replace(trial.outcome, reward=reward * lived.mask))


def made(config: Any, spec: Spec, width: int, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("reward", seed))
        return REWARDS[type(config.reward)](spec, width, config.reward)


def steps_left(came: Outcome, horizon: int) -> Tensor:
    """How many steps of its episode's horizon come after each step, [B, T]."""
    steps = torch.arange(came.done.shape[1]).expand_as(came.done)
    began = torch.where(came.done, steps + 1, 0).cummax(1).values
    began = torch.cat([torch.zeros_like(began[:, :1]), began[:, :-1]], dim=1)
    return (horizon - 1 - (steps - began)).clamp(min=0).float()
