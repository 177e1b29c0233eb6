"""Loss functions and return estimators of the papers, as pure functions of tensors.

They take `discount`, γ or 0 where there is no bootstrap, so none of them depends on what "done" means.
"""

from math import log, pi

import torch
from torch import Tensor


def mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over unmasked steps; both [B, T]."""
    return (x * mask).sum() / mask.sum()


def standardised(x: Tensor, mask: Tensor) -> Tensor:
    """Shifted and scaled to mean 0 and variance 1 over unmasked steps; both [B, T]."""
    centred = x - mean(x, mask)
    return centred / (mean(centred.square(), mask).sqrt() + 1e-8)


def gae(reward: Tensor, value: Tensor, discount: Tensor, lam: float) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438); all [B, T]. V_T = 0.

    δ_t = r_t + γ_t V_{t+1} − V_t,    A_t = δ_t + γ_t λ A_{t+1}
    """
    next_value = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], dim=1)
    delta = reward + discount * next_value - value
    decay = discount * lam
    advantages = []
    running = torch.zeros_like(value[:, 0])
    for d, c in zip(delta.T.flip(0).contiguous(), decay.T.flip(0).contiguous(), strict=True):
        running = d + c * running
        advantages.append(running)
    return torch.stack(advantages[::-1], dim=1)


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """−min(ρ A, clamp(ρ, 1 − ε, 1 + ε) A) with ρ = π / π_old (PPO, Schulman et al. 2017, arXiv:1707.06347, eq. 7)."""
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def expectile(u: Tensor, tau: float) -> Tensor:
    """|τ − [u < 0]| u², the asymmetric squared loss of expectile regression (IQL, Kostrikov et al. 2021,
    arXiv:2110.06169, eq. 5)."""
    return torch.where(u > 0, tau, 1 - tau) * u.square()


def softmax_weighted_squares(q: Tensor, temperature: float) -> Tensor:
    """Σ_j p_j q_j² / 2 over the last axis, p ∝ exp(q / T) without gradient: pulls the highest q towards 0 most.

    The conservative term of Actionable Models (Chebotar et al. 2021, arXiv:2104.07749).
    """
    p = (q.detach() / temperature).softmax(-1)
    return (p * q.square()).sum(-1) / 2


def categorical_entropy(log_prob: Tensor) -> Tensor:
    """−Σ_a π log π over the last axis."""
    return -(log_prob.exp() * log_prob).sum(-1)


def gaussian_log_prob(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Σ_i −((x_i − μ_i) / σ_i)² / 2 − log σ_i − log √(2π) over the last axis."""
    unit = (x - mean) / log_std.exp()
    return -(unit.square() / 2 + log_std + 0.5 * log(2 * pi)).sum(-1)
