"""Tasks with states of success each: some to be lived in without reward, held-out ones to adapt to."""

import torch
from torch import Generator, Tensor

from metairl.core.interfaces import Encoder, Env, SetEncoder, SuccessExampleEnv
from metairl.core.rng import stream
from metairl.core.types import Batch, Spec
from metairl.data.task_sources import TrainingTasks
from metairl.envs.engines import Kind
from metairl.tasks.cards import TaskCard


class SuccessExampleTasks(TrainingTasks):
    """N of them, drawn once: as many examples of every one as its card says."""

    def __init__(self, card: TaskCard, spec: Spec, engine: Kind, count: int, seed: int):
        super().__init__(card, spec, engine)
        assert card.examples, "a card that says how many"
        chance = stream("examples", card.id, seed)
        self.tasks = self.different(count, chance)
        self.examples = shown(self.env(self.tasks[:], Generator()), card, chance)  # [N, n, O]

    def __len__(self) -> int:
        return len(self.tasks)

    def context_for(self, which: Tensor, count: int, encoder: Encoder, rng: Generator) -> Batch | None:
        """What tasks are inferred from, by encoders that infer: so many of their examples, in any order."""
        if not isinstance(encoder, SetEncoder):
            return None
        order = torch.randperm(self.examples.shape[1], generator=rng)[:count]
        return context_for(self.examples[which][:, order], self.spec)


def shown(env: Env, card: TaskCard, chance: Generator) -> Tensor:
    """As many states of success of every task as the card says, [B, n, O]."""
    assert card.examples and isinstance(env, SuccessExampleEnv), "a world that knows its goals"
    return env.examples(card.examples, chance)


def context_for(examples: Tensor, spec: Spec) -> Batch:
    """States as transitions that stay where they are: nothing is done in them, nothing is paid for them."""
    nothing = torch.zeros(examples.shape[:2])
    tasks = len(examples)
    return Batch(
        obs=examples,
        action=torch.zeros(*nothing.shape, spec.actions),
        reward=nothing,
        training_reward=nothing,
        next_obs=examples,
        done=nothing,
        terminated=nothing,
        mask=nothing + 1,
        task=torch.zeros(tasks, spec.params),
        family=torch.zeros(tasks, dtype=torch.long),
        is_demo=nothing + 1,
    )
