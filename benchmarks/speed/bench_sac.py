"""Off-policy training: against Stable-Baselines3's SAC, worlds included, and against bare matrix products.

The bare peer of a meta-gradient step multiplies matrices of the shapes that its networks need, forward and
backward, and nothing else: no activations, no losses, no optimiser, no replay.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import torch
from conftest import Note, in_turns, side_by_side
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from metairl.experiments.assemble import build
from metairl.experiments.request import make_request

HIDDEN = (300, 300, 300)
TASKS, BATCH, CONTEXT = 16, 256, 100
STEPS = 10  # gradient steps a measurement


def test_sac_training(benchmark: BenchmarkFixture, note: Note) -> None:
    torch.set_num_threads(2)
    asked = make_request("sac", "half-cheetah-vel:episodes=1", "none")
    small = {"tasks": 10, "trials": 10, "ratio": 1.0, "batch_tasks": 8, "batch": 32}  # 256 transitions
    settings = replace(
        asked.settings,
        recipe=replace(asked.settings.recipe, **small),
        learner=replace(asked.settings.learner, hidden=(256, 256)),
    )
    _, recipe = build(replace(asked, settings=settings))
    assert recipe is not None
    recipe.iterate(0.0)

    def ours() -> int:
        before = recipe.env_steps, recipe.gradient_steps
        recipe.iterate(0.0)
        assert recipe.env_steps - before[0] == recipe.gradient_steps - before[1]
        return recipe.env_steps - before[0]

    rates = in_turns(ours, "sb3", 5)
    benchmark.pedantic(ours, rounds=1)
    assert note("SAC, worlds included / Stable-Baselines3 SAC", *rates, goal=2, unit="steps/s") >= 2


def test_pearl_gradient_steps(benchmark: BenchmarkFixture, note: Note) -> None:
    torch.set_num_threads(2)
    asked = make_request("pearl", "half-cheetah-vel")
    shapes = {"tasks": 20, "trials": 20, "batch_tasks": TASKS, "batch": BATCH, "context": CONTEXT}
    settings = replace(
        asked.settings,
        recipe=replace(asked.settings.recipe, **shapes),
        learner=replace(asked.settings.learner, hidden=HIDDEN),
        encoder=replace(asked.settings.encoder, hidden=(200, 200, 200), latent=5),
    )
    _, recipe = build(replace(asked, settings=settings))
    assert recipe is not None
    recipe.iterate(0.0)
    products = list(bare_products())

    def ours() -> int:
        recipe.improve(STEPS)
        return STEPS

    def bare() -> int:
        for _ in range(STEPS):
            for left, right in products:
                torch.matmul(left, right)
        return STEPS

    rates = side_by_side(ours, bare, rounds=9)
    benchmark.pedantic(ours, rounds=1)
    assert note("PEARL meta-gradient steps / bare matrix products", *rates, goal=0.6, unit="steps/s") >= 0.6


def bare_products() -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of matrices: of the encoder, of the policy twice and of two critics three times."""
    rows, z, a = TASKS * BATCH, 17 + 5, 6
    yield from network(TASKS * CONTEXT, (17 + 6 + 1, 200, 200, 200, 10), weights=True, inputs=False)
    yield from network(rows, (z, *HIDDEN, 2 * a), weights=False, inputs=False)  # at what is after
    yield from network(rows, (z, *HIDDEN, 2 * a), weights=True, inputs=False)
    for _ in range(2):
        yield from network(rows, (z + a, *HIDDEN, 1), weights=False, inputs=False)  # the target
        yield from network(rows, (z + a, *HIDDEN, 1), weights=True, inputs=True)
        yield from network(rows, (z + a, *HIDDEN, 1), weights=False, inputs=True)  # at the policy's action


def network(
    rows: int, widths: tuple[int, ...], weights: bool, inputs: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Forward; backward to the weights, and to the inputs of every layer, the first one's only if asked."""
    for place, (fan_in, fan_out) in enumerate(pairwise(widths)):
        x, w, gradient = torch.randn(rows, fan_in), torch.randn(fan_in, fan_out), torch.randn(rows, fan_out)
        yield x, w
        if weights:
            yield x.T, gradient
        if (weights or inputs) and (place or inputs):
            yield gradient, w.T
