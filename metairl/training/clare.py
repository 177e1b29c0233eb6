"""Offline inverse RL in a learned world (Yue et al. 2023, CLARE, arXiv:2302.04782).

    first       an ensemble is fitted to all logs; β of every logged pair        rewards/clare_weights.py
    iteration   rollouts of h steps in the ensemble, a share of them from        training/mopo.py
                demonstrated observations, the others from any logged ones
                SAC on what is logged and imagined, its policy held near demonstrations, paid
                    r̃ = r_θ(o, a) − p e u(o, a) / max_D u,   p = `penalty`, in imagined steps
                L_π += c E_E[ d ],  d = −log π(a | o), or ‖mode of π(o) − a‖² where π is held "near";
                    of other logs too where `everything` is cloned
                reward steps:   L(r) = E_model[r] − E_E[r] − E_D[β r] + λ E[r²]

e is the share of the variance of what comes next that the model leaves unexplained on held-out logs. Where
the MDP ends, what rest pays follows for ever. Logs are n demonstrations and episodes of another quality,
`other_data`, of the same tasks, all without reward.

Departures from the code: values reach past one step (there γ is lost in the critic's target); rollouts begin
in other logs too, not in demonstrations alone; β reads as in the paper once, before learning begins.
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
from metairl.rewards.clare_weights import Paid, PointwiseWeights, Scheme, reward_loss
from metairl.training import mopo
from metairl.training.loop import Means


@dataclass(frozen=True)
class Config(mopo.Config):
    other_data: str | None = "medium"  # quality of the other logs
    penalty: float = 0.0  # p
    rollouts: int = 1000
    from_shown: float = 0.0  # share of the rollouts that begin in demonstrations
    scheme: Scheme = "paper"
    threshold: float = 0.5  # u₀
    cloning: float = 0.25  # c
    held: Literal["likely", "near"] = "likely"  # d
    everything: bool = False  # other logs are cloned too, as many steps of them
    squares: float = 1.0  # λ
    reward_hidden: tuple[int, ...] = (256, 256)  # layers of r
    reward_rate: float = 3e-4  # of its Adam
    reward_steps: int = 50  # of an iteration
    reward_batch: int = 1000  # pairs of each kind


class CLARE(mopo.MOPO):
    agent: Agent[SAC]

    def __init__(self, agent: Agent[SAC], source: OfflineDataset, config: Config, seed: int):
        assert source.others is not None, "logs beside the demonstrations"
        self.demos, self.others = source.replay, source.others
        super().__init__(agent, replace(source, replay=self.demos.with_trials_of(self.others)), config, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("reward", seed))
            self.reward = AbsorbingMLP(agent.encoder.width + self.spec.actions, config.reward_hidden)
        self.networks = nn.ModuleDict({"agent": agent.networks, "reward": self.reward})
        self.reward_optimiser = torch.optim.Adam(self.reward.parameters(), config.reward_rate)
        gamma = agent.learner.config.gamma
        self.resting = 1 / (1 - gamma)  # k, steps of rest after an end, as values count them

    def iterate(self, progress: float) -> dict[str, float]:
        came = super().iterate(progress)
        return came | self._learn_reward()

    def state(self) -> dict[str, Any]:
        return super().state() | {"reward_optimiser": self.reward_optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.reward_optimiser.load_state_dict(state["reward_optimiser"])

    def _begin(self, which: Tensor) -> Tensor:
        shown, chance = round(self.config.from_shown * self.each), self.streams["imagine"]
        begins = [
            self.demos.sample_transitions(which, shown, chance),
            self.replay.sample_transitions(which, self.each - shown, chance),
        ]
        return torch.cat([batch.obs for batch in begins], dim=1).flatten(0, 1)

    def _moves(self) -> tuple[EncodedTransitions, Tensor]:
        """What was imagined brings −p e u; what was logged brings nothing."""
        moves, aux = super()._moves()
        with torch.no_grad():
            after_end = (1 - moves.continues) * (self.resting - 1) * self.reward.absorbing()
            return replace(moves, reward=moves.reward + self._paid(moves) + after_end), aux

    def _update(self, moves: EncodedTransitions, aux: Tensor) -> dict[str, Tensor]:
        chance = self.streams["improve"]
        which = self.some_tasks(self.config.batch_tasks)
        logged = self.demos.sample_transitions(which, self.config.batch, chance)
        if self.config.everything:
            logged = logged.beside(self.others.sample_transitions(which, self.config.batch, chance))
        shown, _ = self.agent.encode_transitions(logged)
        losses = self.agent.learner.losses(moves, chance)
        return self.optimizer_step(
            losses | {"cloned": self.config.cloning * self._apart(shown), "encoder": aux}
        )

    def _apart(self, shown: EncodedTransitions) -> Tensor:
        """How far the policy is from doing what was done."""
        pi = self.agent.learner.policy(shown.z.detach())
        near = self.config.held == "near"
        apart: Tensor = (pi.mode() - shown.action).square().sum(-1) if near else -pi.log_prob(shown.action)
        return apart.mean()

    def _paid(self, moves: EncodedTransitions) -> Tensor:
        """r_θ."""
        paid: Tensor = self.reward(torch.cat([moves.z, moves.action], dim=-1))
        return paid

    def _penalty(self, mean: Tensor, std: Tensor) -> Tensor:
        if not self.config.penalty:
            return mean.new_zeros(mean.shape[1])
        return super()._penalty(mean, std) * self.model.unexplained / self.balance.most

    def _learn_reward(self) -> dict[str, float]:
        config, means = self.config, Means()
        share = float(self.demos.lengths.sum() / self.replay.lengths.sum())
        for _ in range(config.reward_steps):
            batches = self._batches()
            beta = {name: self._beta(batches[name], name) for name in ("shown", "others")}
            r = {name: self._paid_for(batch) for name, batch in batches.items()}
            loss = reward_loss(r, beta, share, config.scheme, config.squares)
            self.reward_optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            self.reward_optimiser.step()
            apart = {f"r of {name}": paid.here.mean() for name, paid in r.items()}
            means.add({"reward": loss, **apart})
        return means.read()

    def _paid_for(self, batch: Batch) -> Paid:
        moves = self.agent.encode_transitions(batch)[0]
        resting = self.resting * float(batch.terminated.mean())
        return Paid(self._paid(moves).flatten(), self.reward.absorbing(), resting)

    def _batches(self) -> dict[str, Batch]:
        which = self.some_tasks(min(self.count, self.config.batch_tasks))
        each = max(1, self.config.reward_batch // len(which))
        kinds = {"shown": self.demos, "others": self.others, "lived": self.imagined}
        return {
            name: kept.sample_transitions(which, each, self.streams["improve"])
            for name, kept in kinds.items()
        }

    def _beta(self, batch: Batch, name: str) -> Tensor:
        return self.balance.weights(self._unsure(batch), name == "shown")

    @cached_property
    def balance(self) -> PointwiseWeights:
        """Once the model is fitted."""
        shown, others = (self._unsure(kept.all_transitions()) for kept in (self.demos, self.others))
        return PointwiseWeights.of(shown, others, self.config.threshold)

    @torch.no_grad()
    def _unsure(self, batch: Batch) -> Tensor:
        """u of every step that counts, in a row."""
        there = batch.mask > 0
        task = batch.task.unsqueeze(1).expand(-1, there.shape[1], -1)[there]
        return self._doubt(*self.model.predict(batch.obs[there], batch.action[there], task))
