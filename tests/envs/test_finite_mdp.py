"""Charts by hand, and worlds that step as their charts say."""

from math import isqrt

import pytest
import torch
from torch import Generator

from metairl.core.rng import stream
from metairl.envs import make
from metairl.envs.finite_mdp import FiniteMDPEnv
from metairl.tasks import catalogue, finite_mdps, sampling

KINDS = ("gridworld", "objectworld", "binaryworld", "random-mdp")


def test_a_step_on_a_grid_leads_to_four_sides_or_nowhere() -> None:
    led = finite_mdps.neighbours(3)
    assert led[4].tolist() == [1, 5, 7, 3, 4]  # the middle: north, east, south, west, none
    assert led[0].tolist() == [0, 1, 3, 0, 0]  # a corner keeps who would leave
    assert led[8].tolist() == [5, 8, 8, 7, 8]


def test_a_gridworld_by_hand() -> None:
    ground, noise, weights = [0.0, 0.49, 0.5, 0.99], [0.5], [3.0, -1.0]
    made = finite_mdps.gridworld(torch.tensor([ground + noise + weights]), 4, 5)
    assert made.mdp.features[0].tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert made.reward[0].tolist() == [3, 3, -1, -1]
    assert made.mdp.probs.shape == (1, 1, 5, 5)
    torch.testing.assert_close(made.mdp.probs[0, 0, 2], torch.tensor([0.1, 0.1, 0.6, 0.1, 0.1]))


def test_objects_are_seen_from_afar() -> None:
    cells = torch.ones(1, 9)
    cells[0, 0], cells[0, 5] = (
        0.01,
        0.09,
    )  # outer 0 and inner 0 in a corner; outer 1 and inner 1 on the east side
    far = finite_mdps.colour_distances(cells)[0]
    assert far[0].tolist() == [0, 3, 0, 3]
    assert far[8].tolist() == [4, 1, 4, 1]
    none = finite_mdps.colour_distances(torch.ones(1, 9))[0]
    assert (none == 6).all()  # nothing is anywhere: twice the side


def test_an_objectworld_rewards_thresholds() -> None:
    """On 5 × 5, the first colour in a corner and the second in the middle."""
    cells = torch.ones(1, 25)
    cells[0, 0], cells[0, 12] = 0.01, 0.06
    parameters = torch.cat([cells, torch.tensor([[0.0, 2.0, -3.0]])], 1)
    reward = finite_mdps.objectworld(parameters, 25, 5).reward[0].view(5, 5)
    assert reward.tolist() == [
        [-3, -3, 2, -3, 0],
        [-3, 2, 2, 0, 0],
        [2, 2, 0, 0, 0],
        [-3, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


def test_a_binaryworld_counts_nine() -> None:
    cells = torch.ones(1, 9)
    cells[0, :5] = 0.2  # the first five of nine are blue
    parameters = torch.cat([cells, torch.tensor([[0.0, 1.0, -1.0]])], 1)
    made = finite_mdps.binaryworld(parameters, 9, 5)
    assert made.mdp.features[0, 4].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert made.reward[0].tolist() == [1, -1, 0, 1, -1, 0, 0, 0, 0]  # 4 5 3, 4 5 3, 2 2 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_happens_is_what_the_chart_says(kind: str) -> None:
    card = catalogue.task(kind)
    drawn = sampling.task_set(card, "test")
    assert drawn.tasks
    count = 4000
    one = {name: values[:1].repeat(count, *[1] * (values.dim() - 1)) for name, values in drawn.tasks.items()}
    env = FiniteMDPEnv(kind, one, card.horizon, 1, stream("charts", kind))
    chart = env.mdp
    assert torch.allclose(chart.probs.sum(-1), torch.ones(()))
    assert torch.allclose(chart.start.sum(-1), torch.ones(()))
    env.reset()
    here = env.state.clone()
    action = torch.full((count,), 1)
    step = env.step(action)
    assert torch.equal(step.reward, env.reward[torch.arange(count), here])
    state = int(here.mode().values)
    there = env.state[here == state]
    probs = torch.zeros(env.spec.obs).index_add(
        0, chart.successors[0, state], chart.probs_at(here * 0 + state, action)[0]
    )
    seen = torch.bincount(there, minlength=env.spec.obs) / len(there)
    assert (seen - probs).abs().max() < 4 * (0.25 / len(there)) ** 0.5


def test_an_episode_begins_anywhere_and_ends_at_its_horizon() -> None:
    card = catalogue.task("gridworld:horizon=3")
    env = make(card, sampling.task_set(card, "test")[:50], Generator().manual_seed(0))
    seen = env.reset()
    assert len(set(seen.argmax(1).tolist())) > 10 and isqrt(env.spec.obs) == 10
    over = [bool(env.step(torch.full((50,), 4)).truncated.all()) for _ in range(6)]
    assert over == [False, False, True, False, False, True]
