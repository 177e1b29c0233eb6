"""One acting step of SNAIL late in a trial: from what earlier steps left, against the whole trial again."""

import torch
from conftest import Note, side_by_side
from pytest_benchmark.fixture import BenchmarkFixture

from metairl.agents.encoders.snail import Config, Snail
from metairl.core.types import Context, Spec

LANES, STEPS = 32, 500
SPEC = Spec(obs=10, actions=5, discrete=True, horizon=STEPS // 2, episodes=2, params=1)


@torch.no_grad()
def test_snail_step(benchmark: BenchmarkFixture, note: Note) -> None:
    torch.set_num_threads(1)
    snail = Snail(SPEC, Config())
    trial = Context(
        torch.randn(LANES, STEPS, SPEC.obs),
        torch.randn(LANES, STEPS, SPEC.actions),
        torch.randn(LANES, STEPS),
        torch.zeros(LANES, STEPS),
    )
    before, last = _part(trial, slice(0, STEPS - 1)), _part(trial, slice(STEPS - 1, STEPS))
    left = snail(before, snail.initial(LANES)).state
    whole = snail(trial, snail.initial(LANES)).z[:, -1]
    torch.testing.assert_close(snail(last, left).z[:, 0], whole, atol=1e-5, rtol=1e-5)

    def cached() -> int:
        for _ in range(20):
            snail(last, left)
        return 20 * LANES

    def again() -> int:
        snail(trial, snail.initial(LANES))
        return LANES

    rates = side_by_side(cached, again, rounds=5)
    benchmark.pedantic(cached, rounds=1)
    assert note("SNAIL step at T = 500 / the whole trial again", *rates, goal=20, unit="steps/s") >= 20


def _part(c: Context, steps: slice) -> Context:
    assert c.prev_reward is not None
    return Context(c.obs[:, steps], c.prev_action[:, steps], c.prev_reward[:, steps], c.prev_done[:, steps])
