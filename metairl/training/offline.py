"""Offline training: gradient steps on logs of training tasks; nothing is lived.

A task is inferred from some of its own logs, drawn anew for every gradient step, as a held-out one is from
its support. The budget is counted in gradient steps.
"""

from dataclasses import dataclass

from torch import Tensor

from metairl.agents.agent import Agent
from metairl.core.interfaces import OffPolicyLearner, SetEncoder
from metairl.core.types import Batch
from metairl.data.offline_dataset import OfflineDataset
from metairl.rewards.recovered import HasImplicitReward, PolicyWithReward, with_reward
from metairl.training import replay_loop

ROUNDS = 100  # gradient steps an iteration


@dataclass(frozen=True)
class Config(replay_loop.Config):
    batch: int = 16  # transitions of each task that losses are of
    context: int = 200  # m, transitions that a task is inferred from; of a held-out one its support
    falling: bool = (
        False  # the agent's rate falls linearly over the budget, once an iteration, to zero at its end
    )
    best: float = 1.0  # share of every task's episodes, those of highest return, that are learned from


@dataclass(frozen=True)
class ImitationConfig(Config):
    other_data: str | None = None  # quality of logs that are read beside demonstrations; None: none are


class FromLogs(replay_loop.ReplayLoop):
    """Whose budget is counted in gradient steps."""

    def __init__(
        self,
        agent: Agent[OffPolicyLearner],
        source: OfflineDataset,
        config: replay_loop.Config,
        seed: int,
        streams: tuple[str, ...] = (),
    ):
        super().__init__(agent, config, len(source), seed, streams)
        self.source = source

    @property
    def clock(self) -> int:
        return self.gradient_steps

    def iterate(self, progress: float) -> dict[str, float]:
        return self.improve(ROUNDS)


class Offline(FromLogs):
    def __init__(
        self,
        agent: Agent[OffPolicyLearner],
        source: OfflineDataset,
        config: Config,
        seed: int,
        streams: tuple[str, ...] = (),
    ):
        super().__init__(agent, source, config, seed, streams)
        self.replay = source.best(config.best)

    def iterate(self, progress: float) -> dict[str, float]:
        self.anneal_lr(progress)
        return super().iterate(progress)

    def anneal_lr(self, progress: float) -> None:
        if self.config.falling:
            super().anneal_lr(progress)

    def transitions(self, which: Tensor) -> Batch:
        """As many of others as were demonstrated, where there are others."""
        own = super().transitions(which)
        if self.source.others is None:
            return own
        return own.beside(
            self.source.others.sample_transitions(which, self.config.batch, self.streams["improve"])
        )

    def policy_with_reward(self) -> PolicyWithReward | None:
        learner = self.agent.learner
        return (
            with_reward(self.agent, learner.q_value, learner.state_value)
            if isinstance(learner, HasImplicitReward)
            else None
        )

    def context_for(self, which: Tensor) -> Batch:
        assert isinstance(self.agent.encoder, SetEncoder), "what is inferred from evidence"
        lived = self.agent.encoder.reads_in_order
        return self.source.some(which, self.config.context, lived, self.streams["improve"])
