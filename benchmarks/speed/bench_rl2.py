"""Whole PPO-RL² training against a bare loop of the same GRU, forward and backward, on the same shapes.

The peer makes as many passes over as many trials as the recipe does and nothing else: no world, no acting,
no heads, no advantages, no optimiser.
"""

import torch
from conftest import Note, side_by_side
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.experiments.assemble import build
from metairl.experiments.request import make_request

TASK = "bandit-5:pulls=100"


def test_rl2_training(benchmark: BenchmarkFixture, note: Note) -> None:
    torch.set_num_threads(1)
    asked = make_request("rl2", TASK)
    _, recipe = build(asked)
    assert recipe is not None
    steps, settings = asked.card.steps, asked.settings
    lanes = settings.recipe.trials // settings.recipe.minibatches
    gru = torch.nn.GRU(recipe.agent.encoder.rnn.input_size, settings.encoder.width, batch_first=True)
    x = torch.randn(lanes, steps, gru.input_size)

    def ours() -> int:
        recipe.iterate(0.0)
        return settings.recipe.trials * steps

    def bare() -> int:
        for _ in range(settings.recipe.epochs * settings.recipe.minibatches):
            gru.zero_grad()
            torch.autograd.backward(gru(x)[0].square().mean())
        return settings.recipe.trials * steps

    rates = side_by_side(ours, bare, rounds=9)
    benchmark.pedantic(ours, rounds=1)
    assert note("PPO-RL2 training / bare GRU loop", *rates, goal=0.6, unit="steps/s") >= 0.6
