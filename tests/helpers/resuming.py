"""What tests of resuming share: networks as they were, and what a checkpoint would bring back."""

import io
from typing import Any

import torch
from torch import Tensor

from metairl.evaluation.protocol import StepCounts
from metairl.experiments.assemble import build
from metairl.experiments.judging import judge
from metairl.experiments.request import Request


def saved(state: dict[str, object]) -> object:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


def snapshot(networks: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in networks.items()}


def goes_on_bit_for_bit(wanted: Request) -> None:
    """Every network moves, what goes on from a checkpoint ends equal, and judging twice is the same."""
    policy, straight = build(wanted)
    assert straight is not None
    start = snapshot(straight.networks.state_dict())
    for progress in (0.0, 0.2):
        straight.iterate(progress)
    halfway: Any = torch.load(saved(straight.state()), weights_only=True)
    metrics = straight.iterate(0.4)
    ends = straight.networks.state_dict()
    assert {key for key, value in ends.items() if not torch.equal(value, start[key])} == set(start)
    _, resumed = build(wanted)
    assert resumed is not None
    resumed.load(halfway)
    assert resumed.iterate(0.4) == metrics
    assert flat(straight.state()) == flat(resumed.state())
    first, again = (judge(wanted, policy, "validation", StepCounts()) for _ in range(2))
    assert [e.returns for e in first] == [e.returns for e in again]


def flat(state: object) -> object:
    """Comparable, with tensors as lists."""
    if isinstance(state, dict):
        return {name: flat(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [flat(value) for value in state]
    return state.tolist() if isinstance(state, Tensor) else state
