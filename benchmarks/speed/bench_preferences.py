"""A reward fitted to comparisons, against imitation's trainer, the same pairs, network and batches.

1,024 pairs of segments of 50 steps with 17 numbers to see and 6 to do, as half-cheetah has, are answered by a
linear reward with noise of the Bradley–Terry kind. Both sides take five passes' worth of gradient steps of 32
pairs each, on one network of two layers of 32, on one thread; what is compared is pairs a second. To be fast
and wrong would not do: both have to foretell four in five of the answers.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from conftest import Note, in_turns
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from metairl.core.rng import stream
from metairl.core.types import Spec
from metairl.rewards.preferences import reward_model
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import agreement
from metairl.training import preference_queries

COUNT, LENGTH, BATCH, PASSES = 1024, 50, 32, 5
SPEC = Spec(obs=17, actions=6, discrete=False, horizon=LENGTH, episodes=1, params=1)
ENOUGH = 0.8  # share of answers


def test_fitting(benchmark: BenchmarkFixture, note: Note, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    pairs, first = answered(stream("bench", "preferences"))
    np.savez(tmp_path / "pairs.npz", obs=pairs.obs, acts=pairs.action, first=first)
    ours, peer = in_turns(
        lambda: fit(pairs, first), "imitation", 3, "preferences", str(tmp_path), str(PASSES)
    )
    benchmark.pedantic(lambda: fit(pairs, first), rounds=1)
    assert float(np.load(tmp_path / "peer.npz")["agreement"]) > ENOUGH
    name = "fitting a reward to comparisons / imitation's BasicRewardTrainer"
    assert note(name, ours, peer, goal=3, unit="pairs a second") >= 3


def answered(rng: torch.Generator) -> tuple[Pairs, Tensor]:
    obs = torch.randn(COUNT, 2, LENGTH, SPEC.obs, generator=rng)
    action = torch.randn(COUNT, 2, LENGTH, SPEC.actions, generator=rng)
    weights = torch.randn(SPEC.obs + SPEC.actions, generator=rng)
    sums = (torch.cat([obs, action], dim=-1) @ weights).sum(-1)
    chance = (sums[:, 0] - sums[:, 1]).sigmoid()
    first = (torch.rand(COUNT, generator=rng) < chance).float()
    return Pairs(obs, action, torch.ones(COUNT, 2, LENGTH), torch.zeros(COUNT, 1)), first


def fit(pairs: Pairs, first: Tensor) -> int:
    """How many pairs were looked at in its gradient steps."""
    rounds = PASSES * COUNT // BATCH
    net = reward_model.Config(members=1, hidden=(32, 32), decay=0.0)
    config = replace(preference_queries.Truth(), rounds=rounds, batch=BATCH, rate=1e-3, reward=net)
    model = preference_queries.PreferenceQueries(SPEC, SPEC.obs, config, seen, seed=0)
    model.pairs, model.first = pairs, first
    model.fit()
    with torch.no_grad():
        chances = model.reward.chances(seen(pairs), pairs.counts)[0]
    assert agreement(chances, first) > ENOUGH
    return rounds * BATCH


def seen(pairs: Pairs) -> Tensor:
    return torch.cat([pairs.obs, pairs.action], dim=-1)
