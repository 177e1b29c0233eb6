"""Sentences with several right endings: the smallest world of token imitation.

    vocabulary   V tokens on a ring;  prompt p, any of them, drawn where an episode begins
    action       the next token t′;  right while t′ is beside the token before it, to the left or to the right
    right        H such steps from p, the last of which is p + d mod V;  the task is d, an even number
    r            1 for the last token of a sentence that is right all through, else 0

What is seen is the prompt, the token before and the place in the sentence; not whether it is right so far.
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from metairl.core.types import Spec, Step, Tasks

VOCABULARY = 8  # V


class Tokens:
    def __init__(self, tasks: Tasks, horizon: int, episodes: int, rng: Generator):
        self.task = offset(tasks["offset"]).float()  # [B, 1], d
        self.lanes, self.rng = len(self.task), rng
        self.spec = Spec(2 * VOCABULARY + horizon, VOCABULARY, True, horizon, episodes, params=1)
        self.never = torch.zeros(self.lanes, dtype=torch.bool)
        self.prompt = self.token = torch.zeros(self.lanes, dtype=torch.int64)
        self.right, self.place = ~self.never, 0

    def reset(self) -> Tensor:
        return self._begin()

    def step(self, action: Tensor) -> Step:
        self.right = self.right & beside(self.token, action)
        self.token, self.place = action, self.place + 1
        over = self.place == self.spec.horizon
        ending = (self.prompt + self.task[:, 0].long()) % VOCABULARY
        done = self.right & (self.token == ending) if over else self.never
        final = self._observe()
        obs = self._begin() if over else final
        return Step(obs, done.float(), self.never, ~self.never if over else self.never, done, final)

    def _begin(self) -> Tensor:
        self.prompt = torch.randint(VOCABULARY, (self.lanes,), generator=self.rng)
        self.token, self.right, self.place = self.prompt, ~self.never, 0
        return self._observe()

    def _observe(self) -> Tensor:
        place = one_hot(torch.full((self.lanes,), min(self.place, self.spec.horizon - 1)), self.spec.horizon)
        seen = (one_hot(token, VOCABULARY) for token in (self.prompt, self.token))
        return torch.cat([*seen, place], dim=1).float()


def offset(drawn: Tensor) -> Tensor:
    """d of U[0, 1): 0, 2, 4 or 6, as far as an even number of steps may lead."""
    return 2 * (drawn * (VOCABULARY // 2)).long()


def beside(token: Tensor, other: Tensor) -> Tensor:
    apart = (other - token) % VOCABULARY
    return (apart == 1) | (apart == VOCABULARY - 1)
