"""Planning and inverse RL where dynamics are known, against imitation's tabular code on the CPU.

Gridworlds are drawn by `gridworld-v1`'s law, of 32 × 32 cells for planning. Equal on both sides: the
recursion, its horizon and float64; V of the first step and the summed occupancies agree to
1e-6, or nothing is written. Ours plans for 256 tasks at once and knows the five successors of a state; the
peer takes one task after another with its dense matrix [S, A, S], and its rate is that of the first few.
Both sides have two threads.

For IRL both sides are given the same demonstrated occupancy and start, the same linear reward from 0 and no
prior, and seek the same maximum, on one thread: a hundred cells are too few to share out. The peer stops by
its own limits; ours goes on until its sums of features are no further from those demonstrated. Different:
Adam's rate, ours ten times as high and falling to nothing, and single precision in the peer's reward.
"""

from pathlib import Path

import numpy as np
import torch
from conftest import Note, in_turns
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Generator, Tensor

from metairl.agents.exact.planning import SOFT, plan, visits, visits_by_step
from metairl.core.types import Demonstrations, FiniteMDP
from metairl.envs import spec_of
from metairl.rewards.irl.maxent import Config, MaxEnt
from metairl.rewards.irl.solution import (
    IRLSolution,
    expert_visitation,
    feature_expectations,
    with_demo_starts,
)
from metairl.tasks import catalogue, sampling
from metairl.tasks.finite_mdps import FiniteMDPTask, gridworld

CARD = catalogue.task("gridworld-v1")
SPEC = spec_of(CARD)
SIDE, HORIZON, TASKS, PEER_TASKS = 32, 32, 256, 8
EPISODES = 200
PRECISE = Config(rounds=300, tolerance=8e-5, precision=0.0)


def test_soft_planning(benchmark: BenchmarkFixture, note: Note, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    parameters = drawn(TASKS, SIDE**2)
    told = gridworld(parameters, SIDE**2, SPEC.actions)
    noise = parameters[:, SIDE**2]
    np.savez(tmp_path / "mdps.npz", noise=noise, reward=told.reward, horizon=HORIZON)

    def ours() -> int:
        planned(told)
        return TASKS

    rates = in_turns(ours, "imitation", 3, "partition", str(tmp_path), str(PEER_TASKS))
    check_agreement(told, np.load(tmp_path / "peer.npz"))
    benchmark.pedantic(ours, rounds=1)
    name = "soft planning and occupancy, 256 gridworlds of 32 × 32 / imitation's, one by one"
    assert note(name, *rates, goal=50, unit="MDPs/s") >= 50


def test_maxent_irl(benchmark: BenchmarkFixture, note: Note, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    parameters = drawn(1, SPEC.obs)
    chart, shown = softly_shown(gridworld(parameters, SPEC.obs, SPEC.actions))
    began, occupancy = with_demo_starts(chart, shown), expert_visitation(chart, shown)
    np.savez(
        tmp_path / "shown.npz",
        noise=parameters[0, SPEC.obs],
        features=chart.features[0],
        start=began.start[0],
        occupancy=occupancy[0],
        horizon=SPEC.horizon,
    )
    method = MaxEnt(SPEC, PRECISE)

    def ours() -> int:
        method.fit(chart, shown)
        return 1

    rates = in_turns(ours, "imitation", 3, "mceirl", str(tmp_path))
    found = benchmark.pedantic(lambda: method.fit(chart, shown), rounds=1)
    peer = np.load(tmp_path / "peer.npz")
    error = feature_error(found, chart, shown)
    both = f"error {error:.2g} in {len(found.rounds)} rounds, peer's {peer['error']:.2g} in {peer['rounds']}"
    print(f"\n{both}")
    assert error <= peer["error"]
    assert note("maxent-irl until it stops / imitation's MCEIRL", *rates, goal=10, unit="fits/s") >= 10


def drawn(count: int, states: int) -> Tensor:
    """Parameters by the card's law, of as many cells."""
    ground = CARD.parameters["ground"].model_copy(update={"shape": [states]})
    card = CARD.model_copy(update={"parameters": CARD.parameters | {"ground": ground}})
    tasks = sampling.sample_tasks(card, count, Generator().manual_seed(0))
    return torch.cat([part.double() for part in tasks.values()], dim=1)


def planned(told: FiniteMDPTask) -> tuple[Tensor, Tensor]:
    """V [B, H, S] and where the soft policy is at every step."""
    best = plan(told.mdp, told.reward, HORIZON, SOFT)
    return best.value, visits_by_step(told.mdp, best.policy)


def check_agreement(told: FiniteMDPTask, peer: dict[str, np.ndarray]) -> None:
    value, by_step = planned(FiniteMDPTask(told.mdp[:PEER_TASKS], told.reward[:PEER_TASKS]))
    np.testing.assert_allclose(value[:, 0].numpy(), peer["value"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(by_step.sum(1).numpy(), peer["occupancy"], rtol=0, atol=1e-6)


def softly_shown(told: FiniteMDPTask) -> tuple[FiniteMDP, Demonstrations]:
    """A task's chart, and episodes of its soft-optimal policy: for them the likelihood has a maximum."""
    chart, chance = told.mdp, Generator().manual_seed(0)
    policy = plan(chart, told.reward, SPEC.horizon, SOFT).policy[0]
    alike = chart[torch.zeros(EPISODES, dtype=torch.int64)]
    now = picked(alike.start, chance)
    states, actions = [], []
    for chances in policy:
        action = picked(chances[now], chance)
        states.append(now)
        actions.append(action)
        now = chart.successors[0, now, picked(alike.probs_at(now, action), chance)]
    return chart, Demonstrations(torch.stack(states, 1).unsqueeze(0), torch.stack(actions, 1).unsqueeze(0))


def picked(chances: Tensor, chance: Generator) -> Tensor:
    return torch.multinomial(chances, 1, generator=chance).squeeze(1)


def feature_error(found: IRLSolution, chart: FiniteMDP, shown: Demonstrations) -> float:
    """How far the soft policy's feature sums are from those demonstrated, at most."""
    began = with_demo_starts(chart, shown)
    expected = visits(began, plan(began, found.reward, SPEC.horizon, SOFT).policy)
    gap = expected - expert_visitation(chart, shown)
    return float(feature_expectations(chart, gap).abs().max())
