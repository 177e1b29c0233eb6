"""CLARE: offline inverse RL in a learned dynamics ensemble (Yue et al. 2023, arXiv:2302.04782).

    first       an ensemble is fitted to all data; β of every logged pair            rewards/clare_weights.py
    iteration   rollouts of h steps in the ensemble, a share of them from expert     model_rollouts.py
                observations, the others from any logged ones
                SAC on dataset and model transitions, its policy regularised towards the expert, with rewards
                    r̃ = r_θ(o, a) − p e u(o, a) / max_D u,   p = `penalty`, for model steps
                L_π += c E_E[ d ],  d = −log π(a | o), or ‖mode of π(o) − a‖² where `cloning_loss` is "distance";
                    of other data too where `clone_all`
                reward steps:   L(r) = E_model[r] − E_E[r] − E_D[β r] + λ E[r²]

e is the share of the variance of transitions that the model leaves unexplained on held-out data. After the
MDP terminates, the absorbing state's reward follows for ever. The data are n demonstrations and episodes of
another quality, `other_data`, of the same tasks, all without reward.

Departures from the code: values reach past one step (there γ is lost in the critic's target); rollouts start
in other data too, not in demonstrations alone; β is as in the paper, computed once, before learning begins.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from metairl.agents.agent import Agent
from metairl.agents.rl.sac import SAC
from metairl.core.rng import seed_of
from metairl.core.types import Batch, EncodedTransitions
from metairl.data.offline_dataset import OfflineDataset
from metairl.rewards.adversarial.absorbing import AbsorbingMLP
from metairl.rewards.clare_weights import PointwiseWeights, RewardBatch, Scheme, reward_loss
from metairl.training import model_rollouts, offline
from metairl.training.loop import Means
from metairl.training.model_rollouts import ModelRollouts


@dataclass(frozen=True)
class Config(model_rollouts.Config):
    other_data: str | None = "medium"  # quality of the data beside the demonstrations
    penalty: float = 0.0  # weight of the uncertainty penalty (p)
    rollouts: int = 1000  # started in an iteration, over all tasks
    demo_start_share: float = 0.0  # share of the rollouts that start in demonstrations
    scheme: Scheme = "paper"  # how pairs are weighted in the reward's loss (β)
    threshold: float = 0.5  # relative uncertainty above which the model is not trusted (u₀)
    cloning_weight: float = 0.25  # weight of the cloning term of the policy (c)
    cloning_loss: Literal["likelihood", "distance"] = "likelihood"  # negative log-likelihood or distance (d)
    clone_all: bool = False  # clone the other data too, as many steps of it
    reward_decay: float = 1.0  # weight of the squared rewards (λ)
    reward_hidden: tuple[int, ...] = (256, 256)  # hidden layers of the reward (r)
    reward_learning_rate: float = 3e-4  # of the reward's Adam
    reward_steps: int = 50  # gradient steps of the reward in an iteration
    reward_batch: int = 1000  # pairs of each kind in such a step


class CLARE(offline.OfflineLoop):
    needs_termination = True  # computed from observations
    agent: Agent[SAC]

    def __init__(self, agent: Agent[SAC], source: OfflineDataset, config: Config, seed: int):
        assert source.others is not None, "CLARE needs other data beside the demonstrations"
        self.demos, self.others = source.replay, source.others
        merged = replace(source, replay=self.demos.merged_with(self.others))
        replay = merged.best_trials(config.best_share)
        super().__init__(agent, merged, replay, config, seed, ("fit", "imagine"))
        self.rollouts = ModelRollouts(agent, replay, config, source.ends, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("reward", seed))
            self.reward = AbsorbingMLP(agent.encoder.width + self.rollouts.spec.actions, config.reward_hidden)
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.reward})
        self.reward_optimiser = torch.optim.Adam(self.reward.parameters(), config.reward_learning_rate)
        self.absorbing_steps = 1 / (1 - agent.learner.config.gamma)  # k, as discounted values count them

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        if self.gradient_steps == 0:
            self.rollouts.fit(self.streams["fit"])
        metrics = self.rollouts.generate(self._starts, self._penalty, self.streams["imagine"])
        return metrics | self.improve(self.config.rounds) | self._update_reward()

    # Policy

    def transitions(self, which: Tensor) -> Batch:
        """A share ρ of dataset transitions, the others of model rollouts."""
        return self.rollouts.sample_mixed(which, self.streams["improve"])

    def encoded_batch(self) -> tuple[EncodedTransitions, Tensor]:
        """With learned rewards added: logged rewards are 0, and those of model steps are minus the penalty."""
        batch, aux = super().encoded_batch()
        with torch.no_grad():
            terminal = 1 - batch.continues
            after_end = terminal * (self.absorbing_steps - 1) * self.reward.absorbing()
            return replace(batch, reward=batch.reward + self._reward(batch) + after_end), aux

    def update(self, batch: EncodedTransitions, aux: Tensor) -> dict[str, Tensor]:
        rng = self.streams["improve"]
        which = self.sample_tasks(self.config.batch_tasks)
        cloned = self.demos.sample_transitions(which, self.config.batch, rng)
        if self.config.clone_all:
            cloned = cloned.concat(self.others.sample_transitions(which, self.config.batch, rng))
        encoded, _ = self.agent.encode_transitions(cloned)
        losses = self.agent.learner.losses(batch, rng)
        cloning = self.config.cloning_weight * self._cloning_loss(encoded)
        return self.optimizer_step(losses | {"cloning": cloning, "encoder": aux})

    def _cloning_loss(self, data: EncodedTransitions) -> Tensor:
        """E[d] over these transitions."""
        pi = self.agent.learner.policy(data.z.detach())
        if self.config.cloning_loss == "distance":
            distance: Tensor = (pi.mode() - data.action).square().sum(-1).mean()
            return distance
        likelihood: Tensor = -pi.log_prob(data.action).mean()
        return likelihood

    # Rollouts

    def _starts(self) -> Tensor:
        """Observations to start rollouts from, those of each task in a row, [tasks · n, O]."""
        count, rng = self.rollouts.per_task, self.streams["imagine"]
        from_demos = round(self.config.demo_start_share * count)
        starts = [
            self.rollouts.starts(self.demos, from_demos, rng),
            self.rollouts.starts(self.replay, count - from_demos, rng),
        ]
        return torch.cat(starts, dim=1).flatten(0, 1)

    def _penalty(self, mean: Tensor, std: Tensor) -> Tensor:
        """p e u / max_D u, [M, B, O + 1] -> [B]."""
        if not self.config.penalty:
            return mean.new_zeros(mean.shape[1])
        penalty: Tensor = self.config.penalty * self.rollouts.uncertainty(mean, std)
        return penalty * self.rollouts.model.unexplained / self.weights.max_uncertainty

    # Reward

    def _reward(self, batch: EncodedTransitions) -> Tensor:
        """r_θ(o, a)."""
        reward: Tensor = self.reward(torch.cat([batch.z, batch.action], dim=-1))
        return reward

    def _update_reward(self) -> dict[str, float]:
        config, means = self.config, Means()
        share = float(self.demos.lengths.sum() / self.replay.lengths.sum())
        for _ in range(config.reward_steps):
            batches = self._reward_batches()
            beta = {
                name: self.weights.weights(self._uncertainty(batches[name]), name == "expert")
                for name in ("expert", "other")
            }
            r = {name: self._rewards_of(batch) for name, batch in batches.items()}
            loss = reward_loss(r, beta, share, config.scheme, config.reward_decay)
            self.reward_optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            self.reward_optimiser.step()
            mean_rewards = {f"reward_{name}": batch.reward.mean() for name, batch in r.items()}
            means.add({"reward_loss": loss, **mean_rewards})
        return means.read()

    def _rewards_of(self, batch: Batch) -> RewardBatch:
        encoded = self.agent.encode_transitions(batch)[0]
        steps = self.absorbing_steps * float(batch.terminated.mean())
        return RewardBatch(self._reward(encoded).flatten(), self.reward.absorbing(), steps)

    def _reward_batches(self) -> dict[str, Batch]:
        which = self.sample_tasks(min(self.count, self.config.batch_tasks))
        per_task = max(1, self.config.reward_batch // len(which))
        kinds = {"expert": self.demos, "other": self.others, "model": self.rollouts.buffer}
        return {
            name: replay.sample_transitions(which, per_task, self.streams["improve"])
            for name, replay in kinds.items()
        }

    @cached_property
    def weights(self) -> PointwiseWeights:
        """β, computed once, after the model has been fitted."""
        expert, other = (self._uncertainty(data.all_transitions()) for data in (self.demos, self.others))
        return PointwiseWeights.of(expert, other, self.config.threshold)

    @torch.no_grad()
    def _uncertainty(self, batch: Batch) -> Tensor:
        """u of every valid step, [n]."""
        valid = batch.mask > 0
        task = batch.task.unsqueeze(1).expand(-1, valid.shape[1], -1)[valid]
        predictions = self.rollouts.model.predict(batch.obs[valid], batch.action[valid], task)
        return self.rollouts.uncertainty(*predictions)

    def state(self) -> dict[str, Any]:
        own = {"reward_optimiser": self.reward_optimiser.state_dict()}
        return super().state() | self.rollouts.state() | own

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.rollouts.load(state)
        self.reward_optimiser.load_state_dict(state["reward_optimiser"])
