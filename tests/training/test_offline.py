"""A chain whose optimum is known and whose logs never show one of its actions.

    0 – 1 – 2 – 3 – 4 (the end)      every step costs 1; left, right, and a third action that nobody ever took

From state s the best is to go right 4 − s times: V(s) = −(1 − γ^(4 − s)) / (1 − γ). Values of what the logs
hold are all negative, so whoever believes a network about the third action finds it better than all of that.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.agents.encoders.none import NoEncoder
from metairl.agents.offline import bc, cql_discrete, iql
from metairl.core.types import NoConfig, PolicyInputs, Spec
from metairl.data.episodes import Episode
from metairl.data.offline_dataset import OfflineDataset, as_replay
from metairl.tasks.cards import TaskCard
from metairl.tasks.catalogue import task
from metairl.training.offline import Config, Offline

STATES, GAMMA, HORIZON = 5, 0.9, 20
SPEC = Spec(obs=STATES, actions=3, discrete=True, horizon=HORIZON, episodes=1, params=1)
CARD: TaskCard = task("tabular-mdp")
BEST = torch.tensor([-(1 - GAMMA ** (4 - s)) / (1 - GAMMA) for s in range(4)])


def wandering(rng: np.random.Generator) -> Episode:
    """Left or right by the toss of a coin, until the end or until time is up."""
    places, actions = [int(rng.integers(4))], []
    while places[-1] != 4 and len(actions) < HORIZON:
        actions.append(int(rng.integers(2)))
        places.append(max(0, places[-1] + (1 if actions[-1] else -1)))
    steps, found = len(actions), places[-1] == 4
    last = np.arange(steps) == steps - 1
    return Episode(
        "chain", [0.0], 0, np.eye(STATES)[places], np.array(actions), -np.ones(steps),
        last & found, last & (not found), last & found,
    )  # fmt: skip


def trained(kind: Any, config: Any, steps: int) -> Any:
    rng = np.random.default_rng(0)
    logs = OfflineDataset(as_replay([[wandering(rng) for _ in range(200)]], SPEC, CARD), "")
    torch.manual_seed(0)
    encoder = NoEncoder(SPEC, NoConfig())
    agent = Agent(encoder, kind(SPEC, encoder.width, config), "episode", PolicyInputs(reward=False))
    recipe = Offline(agent, logs, Config(batch_tasks=1, batch=128, learning_rate=3e-3), seed=0)
    while recipe.clock < steps:
        recipe.iterate(0.0)
    return agent.learner


def seen() -> Tensor:
    return torch.eye(STATES)[:4].unsqueeze(0)


def done(learner: Any) -> list[int]:
    actions: list[int] = learner.act(seen()[0], torch.Generator(), False).tolist()
    return actions


def q_learning(weight: float) -> Any:
    return trained(
        cql_discrete.DiscreteCQL, cql_discrete.Config(gamma=GAMMA, weight=weight, hidden=(64,)), 1500
    )


def test_naive_q_learning_believes_in_what_it_never_saw() -> None:
    naive = q_learning(0.0)
    believed = naive.critic(seen())[0].amax(-1)
    assert (believed > BEST + 0.5).all()
    assert 2 in done(naive)


def test_conservative_q_learning_does_not_and_finds_the_way() -> None:
    cautious = q_learning(1.0)
    believed = cautious.critic(seen())[0].amax(-1)
    assert (believed < BEST + 0.1).all()
    assert done(cautious) == [1, 1, 1, 1]


def test_implicit_q_learning_does_not_and_finds_the_way() -> None:
    implicit = trained(iql.IQL, iql.Config(gamma=GAMMA, tau=0.9, beta=10.0, hidden=(64,), polyak=0.05), 1500)
    value = implicit.value(seen())[0, 0]
    assert (value < BEST + 0.1).all()
    assert (value - BEST).abs().max() < 0.5
    assert done(implicit) == [1, 1, 1, 1]


def test_cloning_only_does_what_was_done() -> None:
    """A coin has no better side: the clone is undecided where IQL is not."""
    clone = trained(bc.BC, bc.Config(hidden=(64,)), 500)
    likely = clone.policy(seen()).log_p.exp()[0]
    assert (likely[:, 2] < 0.05).all()
    assert (likely[:, :2] - 0.5).abs().max() < 0.2


@pytest.mark.parametrize("share, kept", [(1.0, 200), (0.1, 20)])
def test_the_best_episodes_are_the_short_ones(share: float, kept: int) -> None:
    rng = np.random.default_rng(0)
    episodes = [wandering(rng) for _ in range(200)]
    best = OfflineDataset(as_replay([episodes], SPEC, CARD), "").best_trials(share)
    lengths = sorted(len(episode.reward) for episode in episodes)
    assert best.num_trials.tolist() == [kept]
    assert sorted(best.lengths[0, :kept].tolist()) == lengths[:kept]
