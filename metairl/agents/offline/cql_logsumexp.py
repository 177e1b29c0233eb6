"""log Σ_j exp(Q_i(z, a_j) − d_j) of many actions, summed over states, and its gradient along with it.

    h_1    = z W_z + a_j W_a + b_1,   h_l+1 = max(h_l, 0) W_l+1 + b_l+1,   Q(z, a_j) = h_L
    M      = Σ_i Σ_z c_z log Σ_j exp(Q_i(z, a_j) − d_j)
    ∂h_L   = c_z softmax_j(Q − d)
    ∂W_l+1 = max(h_l, 0)ᵀ ∂h_l+1,   ∂b_l+1 = Σ ∂h_l+1,   ∂h_l = ∂h_l+1 W_l+1ᵀ where h_l > 0
    ∂z     = Σ_j ∂h_1 W_zᵀ

It is what autograd finds, in half the time: a few states go all the way forward and backward before the next
ones, so that their rows stay in the processor's cache, and what is not needed any more is overwritten.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metairl.core.networks import Ensemble

ROWS = 1920  # at a time, of every member
Layers = Sequence[tuple[Tensor, Tensor]]  # weight and bias


def soft_maximum(critic: Ensemble, z: Tensor, actions: Tensor, density: Tensor, share: Tensor) -> Tensor:
    """M of z [..., Z], actions [..., n, A], d [..., n] and c [...]; it teaches z and the critic alone."""
    states = (z.flatten(0, -2), actions.flatten(0, -3), density.flatten(0, -2), share.flatten())
    total: Tensor = _SoftMaximum.apply(*states, *critic.weights, *critic.biases)  # type: ignore[no-untyped-call]
    return total


class _SoftMaximum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, actions: Tensor, density: Tensor, share: Tensor, *network: Tensor
    ) -> Tensor:
        of_network = [torch.zeros_like(weight) for weight in network]
        layers, of_layers = _by_layer(network), _by_layer(of_network)
        states = max(1, ROWS // actions.shape[1])
        found = [
            _there_and_back(z[some], actions[some], density[some], share[some], layers, of_layers)
            for some in (slice(begin, begin + states) for begin in range(0, len(z), states))
        ]
        totals, of_z = zip(*found, strict=True)
        ctx.save_for_backward(torch.cat(of_z), *of_network)
        return torch.stack(totals).sum()

    @staticmethod
    def backward(ctx: Any, by: Tensor) -> tuple[Tensor | None, ...]:
        of_z, *of_network = (by * gradient for gradient in ctx.saved_tensors)
        return of_z, None, None, None, *of_network


def _by_layer(network: Sequence[Tensor]) -> Layers:
    half = len(network) // 2
    return list(zip(network[:half], network[half:], strict=True))


def _there_and_back(
    z: Tensor, actions: Tensor, density: Tensor, share: Tensor, layers: Layers, of_layers: Layers
) -> tuple[Tensor, Tensor]:
    """M of some states and its gradient at z; the network's is added to what is there."""
    (first, bias), *rest = layers
    (of_first, of_bias), *of_rest = of_layers
    members, many, width = len(first), actions.shape[1], z.shape[1]
    state, action = (x.expand(members, -1, -1) for x in (z, actions.flatten(0, 1)))
    seen = torch.baddbmm(bias, state, first[:, :width])
    h = torch.bmm(action, first[:, width:])
    h.view(members, -1, many, h.shape[-1]).add_(seen.unsqueeze(2))
    below = []
    for weight, bias in rest:
        below.append(h.relu_())
        h = torch.bmm(h, weight).add_(bias)
    score = h.view(members, -1, many) - density
    g = (score.softmax(-1) * share.unsqueeze(-1)).view(members, -1, 1)  # ∂h_L
    for (weight, _), (of_weight, of_b), h in zip(rest[::-1], of_rest[::-1], below[::-1], strict=True):
        of_weight.mT.baddbmm_(g.mT, h)
        of_b.add_(g.sum(1, keepdim=True))
        if weight.shape[-1] == 1:
            g = h.sign_().mul_(g).mul_(weight.mT)  # an outer product, where h was
        else:
            g = torch.bmm(g, weight.mT).mul_(h.sign_())
    of_seen = g.view(members, -1, many, g.shape[-1]).sum(2)
    of_first[:, :width].baddbmm_(state.mT, of_seen)
    of_first[:, width:].baddbmm_(action.mT, g)
    of_bias.add_(of_seen.sum(1, keepdim=True))
    return (score.logsumexp(-1) @ share).sum(), torch.bmm(of_seen, first[:, :width].mT).sum(0)
