"""MAML: model-agnostic meta-learning (Finn et al. 2017, arXiv:1703.03400), for reinforcement learning.

A trial's first K − 1 episodes are played with θ, its last with θ after one gradient step on them:

    R_t = Σ_{u ≥ t} γ^{u−t} r_u  of its episode,   Â = R − φ(o, t) · w,   w = argmin Σ (R − φ · w)² + λ |w|²
    L_i(θ) = −E[ log π_θ(a | o) Â ]            over the first K − 1 episodes of task i
    θ_i = θ − α ∇L_i(θ)
    L_π = E_i E[ −min(ρ Â, clamp(ρ, 1 − ε, 1 + ε) Â) ],  ρ = π_{θ_i} / π_old     over the last episode

∇L_π goes through ∇L_i where `exact`, so it has second derivatives; else θ_i − θ is held: first-order MAML.
φ = [o, o², t, t², t³, 1], t in hundreds of steps, is fitted for every task anew.

Departures: the outer step is PPO's clipped surrogate instead of TRPO. How the choice of the first episodes'
actions bears on θ_i is left out of ∇L_π, as in the paper (Rothfuss et al. 2018 put it back).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, vmap

from metairl.core.losses import clipped_surrogate, gae, mean, standardised
from metairl.core.networks import PolicyHead
from metairl.core.types import Context, EncodedTrial, Spec, State

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Config:
    gamma: float = 0.99  # γ
    step: float = 0.1  # α
    exact: bool = True  # through the inner step; else first-order
    clip: float = 0.2  # ε
    ridge: float = 1e-5  # λ, of the baseline's fit
    hidden: tuple[int, ...] = (64, 64)


@dataclass(frozen=True)
class Targets:
    """What an iteration holds fixed while its epochs run."""

    log_prob: Tensor  # [B, T], log π_old(a)
    advantage: Tensor  # [B, T], of the last episode, standardised
    inner: Tensor  # [B, T], of those before, standardised a task

    def __getitem__(self, rows: Tensor) -> "Targets":
        return Targets(self.log_prob[rows], self.advantage[rows], self.inner[rows])


class MAML(nn.Module):
    least_episodes = 2

    def __init__(self, spec: Spec, width: int, config: Config):
        super().__init__()
        self.config = config
        self.spec = spec
        self.width = width
        self.policy = PolicyHead(spec, width, config.hidden)

    def initial(self, lanes: int) -> State:
        """The trial so far, [B, (K − 1) H, …], how many steps and episodes, and θ_i − θ."""
        steps = self.spec.horizon * (self.spec.episodes - 1)
        action = torch.zeros(lanes, steps, dtype=torch.long)
        if not self.spec.discrete:
            action = torch.zeros(lanes, steps, self.spec.actions)
        history = (
            torch.zeros(lanes, steps, self.width),
            action,
            torch.zeros(lanes, steps),
            torch.zeros(lanes, steps),
        )
        counted = torch.zeros(lanes, dtype=torch.long), torch.zeros(lanes, dtype=torch.long)
        return *history, *counted, *(torch.zeros(lanes, *weight.shape) for weight in self.theta().values())

    def act_with_state(
        self, z: Tensor, context: Context, memory: State, rng: Generator, explore: bool
    ) -> tuple[Tensor, State]:
        """One action a lane: by θ, or by θ_i once K − 1 episodes are over."""
        assert context.prev_reward is not None, "MAML reads the reward"
        obs, action, reward, done, age, ended, *moves = memory
        before = context.prev_action[:, 0]
        action = _written(action, age - 1, before.argmax(-1) if self.spec.discrete else before)
        reward = _written(reward, age - 1, context.prev_reward[:, 0])
        done = _written(done, age - 1, context.prev_done[:, 0])
        obs = _written(obs, age, z)
        over = context.prev_done[:, 0] > 0
        ended = ended + over.long()
        turns = over & (ended == self.spec.episodes - 1)
        if turns.any():
            mask = (torch.arange(obs.shape[1]) < age.unsqueeze(1)).float()
            inner = self._advantage(obs, reward, done, mask)
            found = self._moves(obs, action, inner, mask).values()
            moves = [new.where(_like(turns, new), old) for new, old in zip(found, moves, strict=True)]
        weights = {name: w + move for (name, w), move in zip(self.theta().items(), moves, strict=True)}
        pi = self._policy(weights, z)
        chosen = pi.sample(rng) if explore else pi.mode()
        return chosen, (obs, action, reward, done, age + 1, ended, *moves)

    def theta(self) -> Weights:
        """What the inner step moves: the layers of the policy, not its spread."""
        return dict(self.policy.net.named_parameters())

    @torch.no_grad()
    def targets(self, trial: EncodedTrial, progress: float) -> Targets:
        first, last = self._parts(trial)
        inner = self._advantage(trial.z, trial.reward, trial.done, first)
        outer = self._advantage(trial.z, trial.reward, trial.done, last)
        log_prob = self._log_prob(trial, inner, first)
        return Targets(log_prob, standardised(outer, last), inner)

    def losses(self, trial: EncodedTrial, old: Targets) -> dict[str, Tensor]:
        first, last = self._parts(trial)
        log_ratio = self._log_prob(trial, old.inner, first) - old.log_prob
        return {"policy": mean(clipped_surrogate(log_ratio, old.advantage, self.config.clip), last)}

    def last_layer(self) -> Iterator[Tensor]:
        return self.policy.last_layer()

    def _parts(self, trial: EncodedTrial) -> tuple[Tensor, Tensor]:
        """Which steps are of the first K − 1 episodes, and which of the last."""
        index = trial.done.cumsum(1) - trial.done
        first = trial.mask * (index < self.spec.episodes - 1)
        return first, trial.mask - first

    def _advantage(self, obs: Tensor, reward: Tensor, done: Tensor, mask: Tensor) -> Tensor:
        """Â of the steps that count, standardised in every lane, [B, T]."""
        nothing = torch.zeros_like(reward)
        goes_on = self.config.gamma * (1 - done) * mask
        total = gae(reward * mask, nothing, goes_on, lam=1.0)
        advantage = total - _baseline(obs, done, total, mask, self.config.ridge)
        centre = ((advantage * mask).sum(1) / mask.sum(1)).unsqueeze(1)
        spread = (((advantage - centre).square() * mask).sum(1) / mask.sum(1)).sqrt().unsqueeze(1)
        return (advantage - centre) * mask / (spread + 1e-8)

    def _moves(self, obs: Tensor, action: Tensor, advantage: Tensor, mask: Tensor) -> Weights:
        """θ_i − θ = −α ∇L_i(θ), of every lane."""

        def inner(weights: Weights, obs: Tensor, action: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
            pi = self.policy.distribution(functional_call(self.policy.net, weights, (obs,)))
            return -mean(pi.log_prob(action) * advantage, mask)

        lanes = vmap(grad(inner), in_dims=(None, 0, 0, 0, 0))
        slopes: Weights = lanes(self.theta(), obs, action, advantage, mask)
        return {n: -self.config.step * (g if self.config.exact else g.detach()) for n, g in slopes.items()}

    def _policy(self, weights: Weights, z: Tensor) -> Any:
        """What every lane's own weights say of its z."""
        out = vmap(lambda own, x: functional_call(self.policy.net, own, (x,)))(weights, z)
        return self.policy.distribution(out)

    def _log_prob(self, trial: EncodedTrial, inner: Tensor, first: Tensor) -> Tensor:
        """log π_{θ_i}(a) of every step, [B, T]."""
        moves = self._moves(trial.z, trial.action, inner, first)
        weights = {name: weight + moves[name] for name, weight in self.theta().items()}
        log_prob: Tensor = self._policy(weights, trial.z).log_prob(trial.action)
        return log_prob


def _baseline(obs: Tensor, done: Tensor, total: Tensor, mask: Tensor, ridge: float) -> Tensor:
    """φ · w, fitted in every lane to the steps that count, [B, T]."""
    begins = torch.cat([torch.ones_like(done[:, :1]), done[:, :-1]], dim=1)
    step = torch.arange(done.shape[1]).expand(done.shape)
    t = (step - step.where(begins > 0, 0).cummax(1).values).unsqueeze(-1) / 100
    seen = obs.clamp(-10, 10)
    phi = torch.cat([seen, seen.square(), t, t**2, t**3, torch.ones_like(t)], dim=-1)  # [B, T, F]
    weighed = (phi * mask.unsqueeze(-1)).transpose(1, 2)
    size = phi.shape[-1]
    square = (weighed @ phi).double() + ridge * torch.eye(size, dtype=torch.float64)
    w = torch.linalg.solve(square, (weighed @ total.unsqueeze(-1)).double())
    fitted: Tensor = (phi @ w.to(phi.dtype)).squeeze(-1)
    return fitted


def _written(kept: Tensor, at: Tensor, values: Tensor) -> Tensor:
    """With a value in every lane's place, [B], where there is such a place."""
    lanes = ((at >= 0) & (at < kept.shape[1])).nonzero().squeeze(1)
    if not len(lanes):
        return kept
    return kept.index_put((lanes, at[lanes]), values[lanes].to(kept.dtype))


def _like(lanes: Tensor, x: Tensor) -> Tensor:
    return lanes.view(-1, *(1 for _ in x.shape[1:]))
