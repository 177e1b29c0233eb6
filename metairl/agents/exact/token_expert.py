"""Any right sentence, each as likely as the others, of a ring of tokens (envs/tokens.py); it observes the task.

n_0(t) = [t is the last token],   n_{k+1}(t) = n_k(t − 1) + n_k(t + 1)      ways to end in k steps
π(t′ | t) = n_{k−1}(t′) / n_k(t)   for t′ beside t, k steps before the end
"""

import torch
from torch import Generator, Tensor

from metairl.core.networks import sample_categorical
from metairl.core.types import Context, NoConfig, Spec, State


class AnyRight:
    def __init__(self, spec: Spec, config: NoConfig):
        self.tokens, self.horizon = spec.actions, spec.horizon
        ways = [torch.eye(self.tokens)]  # by token and last token
        for _ in range(self.horizon):
            ways.append(ways[-1].roll(1, 0) + ways[-1].roll(-1, 0))
        self.ways = torch.stack(ways)  # [H + 1, V, V]

    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        assert context.task is not None, "an expert observes the task"
        widths = [self.tokens, self.tokens, self.horizon]
        prompt, token, place = torch.split(context.obs[:, 0], widths, dim=1)
        last = (prompt.argmax(1) + context.task[:, 0].long()) % self.tokens
        left = self.horizon - 1 - place.argmax(1)  # steps after this one
        ending = self.ways[left, :, last]  # [B, V], from every next token
        apart = (torch.arange(self.tokens) - token.argmax(1, keepdim=True)) % self.tokens
        allowed = (apart == 1) | (apart == self.tokens - 1)
        return sample_categorical((ending * allowed).clamp(min=1e-30).log(), rng), state
