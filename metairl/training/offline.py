"""Offline training: gradient steps on a dataset of training tasks, without an environment.

A task is inferred from some of its own data, sampled anew for every gradient step, as a held-out task is from
its support. The budget is counted in gradient steps.
"""

from dataclasses import dataclass

from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner, SetEncoder
from metairl.core.types import Batch
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.replay import Replay
from metairl.rewards.recovered import HasImplicitReward, PolicyWithReward, with_reward
from metairl.training import replay_loop

ROUNDS = 100  # gradient steps in an iteration


@dataclass(frozen=True)
class LoopConfig(replay_loop.Config):
    batch: int = 16  # transitions of each task that the losses are computed on
    anneal_lr: bool = False  # the learning rate falls linearly to zero over the budget


@dataclass(frozen=True)
class Config(LoopConfig):
    context: int = 200  # transitions that a task is inferred from; of a held-out task, its support (m)
    best_share: float = 1.0  # train on this share of every task's episodes, those of highest return


@dataclass(frozen=True)
class ImitationConfig(Config):
    other_data: str | None = (
        None  # quality of undemonstrated data to use beside demonstrations; none: no such data
    )


class OfflineLoop(replay_loop.ReplayLoop):
    """What all loops on a dataset share."""

    def __init__(
        self,
        agent: Agent[OffPolicyLearner],
        source: OfflineDataset,
        replay: Replay,
        config: LoopConfig,
        seed: int,
        streams: tuple[str, ...] = (),
    ):
        super().__init__(agent, config, len(source), seed, streams)
        self.source, self.replay = source, replay

    @property
    def clock(self) -> int:
        return self.gradient_steps

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        return self.improve(ROUNDS)

    def anneal_lr(self, progress: float) -> None:
        if self.config.anneal_lr:
            super().anneal_lr(progress)

    def context_for(self, which: Tensor) -> Batch:
        encoder = self.agent.encoder
        assert isinstance(encoder, SetEncoder), "asked for by set encoders alone"
        rng = self.streams["improve"]
        return self.source.sample_context(which, self.config.context, encoder.reads_in_order, rng)


class Offline(OfflineLoop):
    def __init__(self, agent: Agent[OffPolicyLearner], source: OfflineDataset, config: Config, seed: int):
        super().__init__(agent, source, source.best_trials(config.best_share), config, seed)

    def transitions(self, which: Tensor) -> Batch:
        """With as many of the other data beside demonstrations, where there is some."""
        batch = super().transitions(which)
        if self.source.others is None:
            return batch
        rng = self.streams["improve"]
        return batch.concat(self.source.others.sample_transitions(which, self.config.batch, rng))

    def policy_with_reward(self) -> PolicyWithReward | None:
        learner = self.agent.learner
        if not isinstance(learner, HasImplicitReward):
            return None
        return with_reward(self.agent, learner.q_value, learner.state_value)
