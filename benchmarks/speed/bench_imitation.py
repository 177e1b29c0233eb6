"""GAIL until it keeps a pole up as nine experts in ten would, against imitation's, the same demonstrations.

Ten episodes of a policy that PPO trained, 500 steps each, are given to both sides. Each trains on one thread
until the mode of its policy comes to 450 of 500 on average, in episodes of CartPole-v1 on both sides; judging
takes no part in the time. Ours judges after every iteration, the peer after every 16,384 steps, as many as
one round of its PPO. Three seeds, in turns; what is compared is the median time.
"""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Note, in_turns
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.cli.main import main
from metairl.data import offline_dataset
from metairl.envs import spec_of
from metairl.evaluation.protocol import StepCounts
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import make_request

TASK = "cartpole:data=expert,demos=10"
ENOUGH, SEEDS = 450.0, 3


def imitate(seed: int) -> float:
    """Seconds of training."""
    asked = make_request("gail", TASK, seed=seed)
    policy, recipe = build(asked)
    assert recipe is not None
    seconds = 0.0
    while True:
        began = time.perf_counter()
        recipe.iterate(0.0)
        seconds += time.perf_counter() - began
        judged = judge(asked, policy, "validation", StepCounts())[0]
        if np.mean(judged.returns) >= ENOUGH:
            return seconds
        assert recipe.clock < 2_000_000, "it does not learn"


def test_gail(
    benchmark: BenchmarkFixture, note: Note, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("METAIRL_DATA", str(tmp_path / "datasets"))
    assert main(["collect", "cartpole", "--episodes", "10", "--threads", "1", "--runs", str(tmp_path)]) == 0
    leave_for_the_peer(tmp_path)
    ours, peer = zip(*(both(seed, tmp_path) for seed in range(SEEDS)), strict=True)
    benchmark.pedantic(lambda: imitate(0), rounds=1)
    name = "GAIL on CartPole until 90 % of the expert's return / imitation's GAIL"
    assert note(name, 1 / np.median(ours), 1 / np.median(peer), goal=3, unit="times a second") >= 3


def both(seed: int, folder: Path) -> tuple[float, float]:
    seconds = imitate(seed)
    _, rate = in_turns(lambda: 1, "imitation", 1, "gail", str(folder), str(seed))
    return seconds, 1 / rate


def leave_for_the_peer(folder: Path) -> None:
    asked = make_request("gail", TASK)
    replay = offline_dataset.read(asked.card, spec_of(asked.card), "train").replay
    obs = torch.cat([replay.data["obs"][0], replay.data["after"][0, :, -1:]], dim=1)
    np.savez(folder / "demonstrations.npz", obs=obs, acts=replay.data["action"][0].argmax(-1))
