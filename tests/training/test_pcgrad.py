"""Gradient pcgrad by hand."""

from dataclasses import replace

import torch
from torch import tensor
from torch.testing import assert_close

from metairl.core.rng import stream
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.training.pcgrad import gradients_of, projected


def test_what_does_not_conflict_is_averaged() -> None:
    assert_close(projected(tensor([[1.0, 0.0], [0.0, 2.0]]), stream("order")), tensor([0.5, 1.0]))


def test_each_of_two_that_conflict_loses_what_the_other_undoes() -> None:
    """g = (1, 0) and (−1, 1): their product is −1; what is left is (1/2, 1/2) and (0, 1)."""
    found = projected(tensor([[1.0, 0.0], [-1.0, 1.0]]), stream("order"))
    assert_close(found, tensor([0.25, 0.75]))


def test_opposites_leave_nothing() -> None:
    assert_close(projected(tensor([[1.0, 2.0], [-1.0, -2.0]]), stream("order")), tensor([0.0, 0.0]))


def test_one_row_a_loss_and_zero_where_it_does_not_depend() -> None:
    a, b = tensor([2.0], requires_grad=True), tensor([3.0], requires_grad=True)
    assert_close(gradients_of([a.sum() * 5, (a * b).sum()], [a, b]), tensor([[5.0, 0.0], [3.0, 2.0]]))


def test_one_family_alone_learns_as_without_pcgrad() -> None:
    """On a card without skills all tasks are one family: the same step, to rounding."""
    ends = []
    for pcgrad in (False, True):
        asked = make_request("sac", "point-robot", "none", steps=1000)
        few = {"tasks": 6, "trials": 3, "ratio": 0.03, "batch_tasks": 3, "batch": 8, "pcgrad": pcgrad}
        _, recipe = build(
            replace(asked, settings=replace(asked.settings, recipe=replace(asked.settings.recipe, **few)))
        )
        assert recipe is not None
        for _ in range(2):
            recipe.iterate(0.0)
        ends.append(torch.cat([w.flatten() for w in recipe.state()["networks"].values()]))
    assert_close(ends[0], ends[1], atol=1e-4, rtol=1e-3)
