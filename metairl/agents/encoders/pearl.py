"""PEARL: probabilistic embeddings for actor-critic meta-RL (Rakelly et al. 2019, arXiv:1903.08254).

    μ_n, s_n = f(o_n, a_n, r_n),   σ_n² = softplus(s_n)                    one transition
    q(z | c) = N(0, 1) · Π_n N(μ_n, σ_n²)                                  all of them, in any order
             = N(η₁ / η₂, 1 / η₂),   η₁ = Σ_n μ_n / σ_n²,   η₂ = 1 + Σ_n 1 / σ_n²
    z ~ q(z | c) at the start of an episode, kept until it ends           posterior sampling
    z_t = [o_t, z]
    L   = λ KL(q(z | c) ‖ N(0, 1))

The memory is (Σ μ/σ², Σ 1/σ²), so transitions are added one at a time, or all at once in `infer_posterior`.

Departures: the prior is one of the factors, so that an empty context needs no special case. Settings that are
off by default:

    sampling = false    z is the mean of q instead of a sample
    ignore_zero_reward  the product is over transitions with a reward alone: with sparse rewards an episode without
                        any leaves the prior unchanged, and the next sample explores elsewhere. Losses of a task
                        without any reward yet use the prior's mean
    dynamics            f also reads o′, for tasks that differ in their dynamics
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from metairl.core.networks import ObservationEncoder, mlp
from metairl.core.types import Batch, Context, Encoding, Spec, State


@dataclass(frozen=True)
class Config:
    latent: int = 5  # size of z
    hidden: tuple[int, ...] = (200, 200, 200)  # hidden layers of f
    kl: float = 0.1  # weight of the KL term (λ)
    sampling: bool = True  # sample z from the posterior; else its mean
    ignore_zero_reward: bool = False  # leave transitions without reward out of the posterior
    dynamics: bool = False  # f reads the next observation too

    @property
    def noise_dim(self) -> int:
        """Size of the noise for a sample of z."""
        return self.latent if self.sampling else 0


class Pearl(nn.Module):
    sees_task = False
    context_kind = "set"
    reads_in_order = False
    least_episodes = 2
    length_buckets = 4

    def __init__(self, spec: Spec, config: Config):
        super().__init__()
        self.config = config
        self.obs_encoder = ObservationEncoder(spec)
        self.width = self.obs_encoder.width + config.latent  # Z
        seen = self.obs_encoder.width * (2 if config.dynamics else 1)
        self.factor = mlp(seen + spec.actions + 1, *config.hidden, 2 * config.latent, last_gain=0.1)

    def initial(self, lanes: int) -> State:
        """Σ so far, Σ at the start of the episode, the previous observation, whether there was one."""
        sums, seen = torch.zeros(lanes, 2 * self.config.latent), torch.zeros(lanes, self.obs_encoder.width)
        return sums, sums, seen, torch.zeros(lanes, 1)

    def forward(self, context: Context, state: State) -> Encoding:
        assert context.prev_reward is not None, "PEARL reads the reward"
        total, at_start, before, since = state
        obs = self.obs_encoder(context.obs)
        seen = torch.cat([before.unsqueeze(1), obs[:, :-1]], dim=1)  # o_{t−1}
        known = torch.cat([since, torch.ones_like(context.prev_done[:, 1:])], dim=1)
        begins = (context.prev_done > 0) | (known == 0)
        whole = (
            known * (1 - context.prev_done) if self.config.dynamics else known
        )  # o′ is not observed at the end of an episode
        factors = self._factors(seen, context.prev_action, context.prev_reward, obs) * whole.unsqueeze(-1)
        sums = total.unsqueeze(1) + factors.cumsum(1)  # [B, T, 2L]
        at_start = _at_last(begins, sums, at_start)
        aux = self.config.kl * self._divergence(at_start).mean()
        state = sums[:, -1], at_start[:, -1], obs[:, -1], torch.ones_like(since)
        return Encoding(self._embedded(at_start, obs, context.noise), state, aux)

    def infer_posterior(self, context: Batch) -> tuple[Tensor, Tensor]:
        """The sums over a set of transitions of each task, [B, 2L], and the encoder's loss."""
        obs, next_obs = self.obs_encoder(context.obs), self.obs_encoder(context.next_obs)
        factors = self._factors(obs, context.action, context.reward, next_obs)
        sums = (factors * context.mask.unsqueeze(-1)).sum(1)
        return sums, self.config.kl * self._divergence(sums).mean()

    def condition(self, posterior: Tensor, obs: Tensor, noise: Tensor | None) -> Tensor:
        """z_t of observations, [B, T, O], given the sums, [B, 2L], and one sample for all steps."""
        if noise is not None and self.config.ignore_zero_reward:
            noise = noise * (posterior[:, -1:] > 0)
        noise = None if noise is None else noise.unsqueeze(1)
        return self._embedded(posterior.unsqueeze(1), self.obs_encoder(obs), noise)

    def _embedded(self, sums: Tensor, obs: Tensor, noise: Tensor | None) -> Tensor:
        mean, variance = self._posterior(sums)
        z = mean if noise is None else mean + variance.sqrt() * noise
        return torch.cat([obs, z.expand(*obs.shape[:2], -1)], dim=-1)

    def _factors(self, obs: Tensor, action: Tensor, reward: Tensor, next_obs: Tensor) -> Tensor:
        """(μ / σ², 1 / σ²) of every transition."""
        seen = [obs, next_obs] if self.config.dynamics else [obs]
        mean, spread = self.factor(torch.cat([*seen, action, reward.unsqueeze(-1)], dim=-1)).chunk(2, dim=-1)
        precision = 1 / softplus(spread).clamp(min=1e-7)
        factors = torch.cat([mean * precision, precision], dim=-1)
        return factors * (reward != 0).unsqueeze(-1) if self.config.ignore_zero_reward else factors

    def _posterior(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        weighted, precision = sums.chunk(2, dim=-1)
        variance = 1 / (1 + precision)
        return weighted * variance, variance

    def _divergence(self, sums: Tensor) -> Tensor:
        """KL(N(μ, σ²) ‖ N(0, 1)) = Σ (σ² + μ² − 1 − log σ²) / 2."""
        mean, variance = self._posterior(sums)
        return (variance + mean.square() - 1 - variance.log()).sum(-1) / 2


def _at_last(begins: Tensor, now: Tensor, before: Tensor) -> Tensor:
    """For every step, `now` at the start of its episode; `before` if that was before the first step."""
    steps = torch.arange(1, begins.shape[1] + 1)
    last = steps.where(begins, 0).cummax(1).values  # [B, T], 0: before
    every = torch.cat([before.unsqueeze(1), now], dim=1)
    return every.gather(1, last.unsqueeze(-1).expand(-1, -1, every.shape[-1]))
